"""The lists of deliberate faults are usable; `make mutants` tries them all."""

import ast
from functools import cache

import pytest

from tools import contract, mutants
from tools.catalogue import stubs

EXEMPLARS = ("nbb-xor", "rs-parity", "adding-problem")
LISTED = [stub for stub in stubs() if (stub.folder / "mutants.toml").exists()]


def meanings(program):
    """What its top-level statements say, whatever their layout and comments."""
    lines = program.splitlines()
    return [
        meaning("\n".join(lines[node.lineno - 1 : node.end_lineno]))
        for node in ast.parse(program).body
    ]


@cache
def meaning(statement):
    return ast.dump(ast.parse(statement))


@pytest.mark.parametrize("stub", LISTED, ids=lambda stub: stub.slug)
def test_each_fault_changes_a_program_in_one_place(stub):
    for fault in mutants.faults(stub):
        file = fault.get("file", stub.script.name)
        program = contract.text_of(stub, file).partition(contract.TAIL_MARK)[0]
        assert program.count(fault["find"]) == 1, f"{fault['name']}: not once in {file}"
        changed = program.replace(fault["find"], fault["replace"])
        assert meanings(changed) != meanings(program), f"{fault['name']}: changes nothing"


@pytest.mark.parametrize(
    "stub", [stub for stub in LISTED if stub.slug in EXEMPLARS], ids=lambda stub: stub.slug
)
def test_the_first_fault_is_caught(stub):
    assert mutants.caught(stub, mutants.faults(stub)[0])


def test_a_fault_that_the_tests_let_pass_survives(catalogue, monkeypatch):
    stub = stubs(catalogue.root)[0]
    harmless = {"name": "none", "find": "QUICK = {", "replace": "QUICK = {} and {"}
    assert not mutants.caught(stub, harmless)
    assert mutants.caught(stub, mutants.faults(stub)[0])

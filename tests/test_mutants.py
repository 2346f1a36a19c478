"""The list of deliberate faults is usable; `make mutants` tries them all."""
import ast

import mutants
import pytest

from tools.catalogue import stubs

EXEMPLARS = ("nbb-xor", "flip-flop", "adding-problem")
LISTED = [stub for stub in stubs() if (stub.folder / "mutants.toml").exists()]


def test_the_exemplars_have_at_least_ten_faults_each():
    assert {stub.slug for stub in LISTED if len(mutants.mutants(stub)) >= 10} >= set(EXEMPLARS)


@pytest.mark.parametrize("stub", LISTED, ids=lambda stub: stub.slug)
def test_each_fault_changes_the_experiment_in_one_place(stub):
    experiment = stub.source.partition("# ---- tail: ")[0]
    for fault in mutants.mutants(stub):
        assert experiment.count(fault["find"]) == 1, f"{fault['name']}: its text has to occur exactly once"
        changed = experiment.replace(fault["find"], fault["replace"])
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(experiment)), f"{fault['name']}: changes nothing"


@pytest.mark.parametrize("stub", LISTED, ids=lambda stub: stub.slug)
def test_the_first_fault_is_caught(stub):
    assert mutants.caught(stub, mutants.mutants(stub)[0])

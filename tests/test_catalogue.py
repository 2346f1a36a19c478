"""Cards, stubs and their programs."""

import made
import pytest

from tools import catalogue
from tools.catalogue import CatalogueError, Stub

BARE = {"says": "s", "metric": "net.error", "level": "paper", "paper": "5"}
MEAN = BARE | {"over": "mean", "op": ">", "threshold": 0.5}


def wrong_card(root, text):
    """The one line with which an unusable card is refused."""
    folder = made.stub(root).folder
    (folder / "card.toml").write_text(text, "utf-8")
    with pytest.raises(CatalogueError) as caught:
        _ = Stub(folder).card
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("toy/card.toml is unusable: ")
    return str(caught.value)


@pytest.mark.parametrize(
    "text, says",
    [
        ("title = ", "Invalid value"),
        (made.card(thread="fishing"), "thread"),
        (made.card(yaer=1990), "yaer"),
        (made.card(title=None), "title: Field required"),
        (made.card(short="x" * 25), "short: "),
        (made.card(keywords=[]), "keywords: "),
        (made.card(year=10**400), "year"),
        (made.card(thumb={"file": "viz/a.png", "box": [0, 0, 1]}), "thumb.box"),
        (made.card(thumb={"file": "../a.png", "box": [0, 0, 16, 10]}), "../a.png leaves the"),
        (made.card(name="/etc/a"), "/etc/a.gif leaves the stub's folder"),
        (made.card(name="viz/../../a"), "leaves the stub's folder"),
        (made.card().replace("0.5", '"0.5"'), "claims.0.threshold"),
        (made.card().replace("0.5", "nan"), "claims.0.threshold"),
        (made.card().replace("0.5", "inf"), "claims.0.threshold"),
    ],
)
def test_an_unusable_card_is_named_in_one_line_with_its_key(tmp_path, text, says):
    assert says in wrong_card(tmp_path, text)


@pytest.mark.parametrize(
    "claim, says",
    [
        (BARE, "needs op and threshold, or within"),
        (BARE | {"op": ">="}, "needs op and threshold, or within"),
        (MEAN | {"within": [1, 2], "why": "w"}, "needs op and threshold, or within"),
        (BARE | {"within": [1, 2]}, "a why"),
        (BARE | {"within": [2, 1], "why": "w"}, "low <= high"),
        (MEAN | {"seeds": 0.9}, "not both"),
        (BARE | {"op": ">", "threshold": 1, "beyond": 0}, "beyond needs over = 'mean'"),
        (MEAN | {"op": "==", "beyond": 0}, "a one-sided op"),
        (MEAN | {"level": "bonus"}, "claims.0.level"),
        (MEAN | {"from": "elsewhere"}, "claims.0.from"),
        (MEAN | {"op": "!="}, "claims.0.op"),
        (MEAN | {"over": "median"}, "claims.0.over"),
        (BARE | {"op": ">", "threshold": 1, "seeds": 0}, "claims.0.seeds"),
        (BARE | {"op": ">", "threshold": 1, "seeds": 1.1}, "claims.0.seeds"),
    ],
)
def test_a_claim_whose_parts_do_not_fit_is_refused(tmp_path, claim, says):
    assert says in wrong_card(tmp_path, made.card(claims=[claim]))


def test_a_card_that_is_no_text_is_named(tmp_path):
    folder = made.stub(tmp_path).folder
    (folder / "card.toml").write_bytes(b"title = '\xff'")
    with pytest.raises(CatalogueError, match="toy/card.toml is unusable"):
        _ = Stub(folder).card


def test_an_unknown_stub_is_answered_with_near_ones(tmp_path):
    made.stub(tmp_path)
    with pytest.raises(CatalogueError, match="did you mean toy"):
        catalogue.stub("tov", tmp_path)


# ---- which records count ----
@pytest.fixture
def two(tmp_path):
    """A stub with records of its experiment and of its study."""
    return made.stub(tmp_path, metrics=made.nets([0.1]), study=made.nets([0.2]))


def counted(stub):
    return [program.kind for program in Stub(stub.folder).programs if program.current]


def test_another_study_leaves_the_records_of_the_experiment(two):
    assert counted(two) == ["run", "study"]
    two.study.script.write_text("import toy\n\nx = 1\n")
    assert counted(two) == ["run"]


def test_another_experiment_makes_both_stale(two):
    two.script.write_text(made.SCRIPT.replace("= 8", "= 9"))
    assert counted(two) == []
    assert Stub(two.folder).verdict == "not recorded"


def test_another_comment_leaves_both(two):
    two.script.write_text(f"{made.SCRIPT}# more\n")
    two.study.script.write_text("# why\nimport toy\n")
    assert counted(two) == ["run", "study"]


@pytest.mark.parametrize("text", ["def f(:\n", "x = '\0'\n"])
def test_code_that_is_no_python_is_named(two, text):
    two.script.write_text(text)
    with pytest.raises(CatalogueError, match="toy/toy.py is no Python: .*; mend the syntax"):
        _ = Stub(two.folder).verdict

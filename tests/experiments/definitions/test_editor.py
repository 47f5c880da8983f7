"""In an editor with the YAML language server a new file completes, explains and checks itself."""

from pathlib import Path

from servers.editor import editing

from experiments.definitions.schema import SCHEMA_FILE, new_experiment, refresh_schema

OWN = "checkout_reached: {type: proportion, event: Checkout Started}\n"


def test_a_new_file_is_completed_explained_and_checked_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "metrics.yaml").write_text(OWN)
    path = new_experiment("banner", tmp_path)
    text = path.read_text()
    with editing(tmp_path) as editor:
        assert editor.open(path, text) == []
        lines = text.split("\n")
        goal = next(number for number, line in enumerate(lines) if line.startswith("goal: "))
        metrics = editor.offered(path, goal, len("goal: "))
        assert {"purchase_rate", "checkout_reached"} <= metrics.keys()
        assert "The metric that decides" in editor.said(path, goal, 1)
        status = next(number for number, line in enumerate(lines) if line.startswith("status: "))
        assert {"draft", "running", "stopped"} <= editor.offered(path, status, len("status: ")).keys()

        wrong = tmp_path / "wrong.yaml"
        marked = editor.open(
            wrong, text.replace("status: draft", "status: runing").replace("key: banner", "key: wrong")
        )
        assert [each["range"]["start"]["line"] for each in marked] == [status]

        limits = tmp_path / "limits.yaml"
        part = f"{lines[0]}\nkey: limits\nvariants: [a, b]\ngoal: purchase_rate\nguardrails:\n  \n"
        editor.open(limits, part)
        assert {"refund_rate", "checkout_reached"} <= editor.offered(limits, 5, 2).keys()


def test_metrics_that_came_later_are_completed_after_a_refresh(tmp_path: Path) -> None:
    path = new_experiment("banner", tmp_path)
    (tmp_path / "metrics.yaml").write_text(OWN)
    before = (tmp_path / SCHEMA_FILE).read_bytes()
    assert refresh_schema(tmp_path) == tmp_path / SCHEMA_FILE
    assert b"checkout_reached" in (tmp_path / SCHEMA_FILE).read_bytes()
    assert b"checkout_reached" not in before
    with editing(tmp_path) as editor:
        assert editor.open(path, path.read_text()) == []

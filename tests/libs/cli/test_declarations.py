"""`headrace apply` checks a file before it is sent: by the same function as the registry, with the line."""

import json
from pathlib import Path

import pytest
import yaml

from headrace.cli.models import read_declaration
from headrace.client.errors import HeadraceError
from headrace.testkit.declarations import Bad, Document, bad_documents


@pytest.mark.parametrize(("bad", "document"), bad_documents(), ids=lambda each: getattr(each, "name", ""))
@pytest.mark.parametrize("written", [yaml.safe_dump, json.dumps], ids=["yaml", "json"])
def test_a_bad_file_is_refused_before_it_is_sent(bad: Bad, document: Document, written: object, tmp_path: Path) -> None:
    """With file and line, and the words of the registry."""
    assert callable(written)
    file = tmp_path / "model.yaml"
    file.write_text(written(document))

    with pytest.raises(HeadraceError) as refused:
        read_declaration(file)

    assert bad.says in str(refused.value)
    assert all(each.startswith(f"{file}: line ") for each in str(refused.value).splitlines())

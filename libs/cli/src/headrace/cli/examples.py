"""An example for every command, shown at the end of its help; a test reads each as the command line would."""

from collections.abc import Mapping

import typer

EXAMPLES: Mapping[str, str] = {
    "up": "headrace up --detach",
    "down": "headrace down",
    "status": "headrace status",
    "logs": "headrace logs 0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77 --follow",
    "attach": "headrace attach --project infra",
    "orphans": "headrace orphans --days 30",
    "apply": "headrace apply flights-delay.yaml",
    "train": "headrace train flights-delay --wait --reason 'new season'",
    "wait": "headrace wait flights-delay",
    "init": "headrace init late-flights --data flights.csv --target late",
    "cancel": "headrace cancel 0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77",
    "models": "headrace models",
    "versions": "headrace versions flights-delay",
    "show": "headrace show models:/flights-delay@champion",
    "approve": "headrace approve models:/flights-delay/3 --comment 'looked at the errors by carrier'",
    "reject": "headrace reject models:/flights-delay/3 --comment 'worse for short flights'",
    "import": "headrace import flights-delay vendor/model.onnx --data flights-test@2 --learned-from none --wait",
    "cancel-import": "headrace cancel-import 0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77 --reason 'the wrong file'",
    "imports": "headrace imports flights-delay --state failed",
    "ingest": "headrace ingest flights flights-2013-03.csv",
    "predict": "headrace predict flights-delay --input rows.parquet --keep flight > answers.tsv",
    "truth": "headrace truth flights-delay truth.csv",
    "watch": "headrace watch 'headrace.training.>'",
    "publish": """headrace publish headrace.request.training.flights-delay '{"reason": "new season"}'""",
    "trace": "headrace trace 0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77:0",
    "verify": "headrace verify --key-file audit.pub",
    "alias list": "headrace alias list flights-delay",
    "alias set": "headrace alias set flights-delay champion 3 --reason 'version 4 is slow'",
    "alias history": "headrace alias history flights-delay champion",
    "changes list": "headrace changes list",
    "changes show": "headrace changes show flights-delay 0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77",
    "changes approve": "headrace changes approve flights-delay 0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77 --comment agreed",
    "changes reject": "headrace changes reject flights-delay 0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77 --comment no",
    "changes withdraw": "headrace changes withdraw flights-delay 0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77",
    "code push": "headrace code push late-net ./late-net",
    "code list": "headrace code list late-net",
    "code show": "headrace code show late-net@3",
    "runs list": "headrace runs list flights-delay --state failed",
    "runs show": "headrace runs show 0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77",
    "runs checkpoints": "headrace runs checkpoints 0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77",
    "runs cancel": "headrace runs cancel 0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77 --reason 'wrong data'",
    "run": "headrace run flights-delay --experiment depth --param max_depth=4 --wait",
    "runs compare": "headrace runs compare 0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77 0199e6a2-91a0-7c11-8a55-1b2c3d4e5f60",
    "runs trials": "headrace runs trials 0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77",
    "runs promote": "headrace runs promote 0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77 --reason 'best of the experiment'",
    "reproduce": "headrace reproduce models:/flights-delay/3 --wait",
    "runs costs": "headrace runs costs --by owner --since 2026-01-01T00:00:00Z",
    "rollouts list": "headrace rollouts list flights-delay",
    "rollouts show": "headrace rollouts show 0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77",
    "routes": "headrace routes flights-delay",
    "rollback": "headrace rollback flights-delay --reason 'errors since noon'",
    "pause": "headrace pause flights-delay --reason 'until the holidays are over'",
    "resume": "headrace resume flights-delay",
    "promote": "headrace promote flights-delay --version 3 --reason 'looks good'",
    "datasets list": "headrace datasets list",
    "datasets show": "headrace datasets show flights --version 2",
    "datasets versions": "headrace datasets versions flights",
    "datasets parts": "headrace datasets parts flights --version 3",
    "datasets contract": "headrace datasets contract flights",
    "datasets rejections": "headrace datasets rejections flights",
    "windows": "headrace windows flights-delay",
    "drift": "headrace drift flights-delay",
    "performance": "headrace performance flights-delay --version 3",
    "alerts": "headrace alerts flights-delay --limit 10",
    "deliveries": "headrace deliveries flights-delay",
    "card": "headrace card models:/flights-delay@champion > card.md",
    "risk show": "headrace risk show flights-delay",
    "risk review": "headrace risk review flights-delay --comment 'groups looked at, nothing found'",
    "dead-letters list": "headrace dead-letters list",
    "dead-letters show": "headrace dead-letters show 17",
    "dead-letters replay": "headrace dead-letters replay 17",
    "dead-letters drop": "headrace dead-letters drop 17",
    "keys make": "headrace keys make ann --role approver --lasts P90D",
    "keys list": "headrace keys list",
    "keys rotate": "headrace keys rotate ann --overlap P1D",
    "keys revoke": "headrace keys revoke batch-7",
    "outsiders add": "headrace outsiders add partner --may training",
    "outsiders list": "headrace outsiders list",
    "outsiders remove": "headrace outsiders remove partner",
}


def attach(app: typer.Typer, before: str = "") -> None:
    """Put each command's example at the end of its help."""
    for command in app.registered_commands:
        assert command.callback is not None
        name = f"{before}{command.name or command.callback.__name__}"
        command.epilog = f"Example: `{EXAMPLES[name]}`"
    for group in app.registered_groups:
        if group.typer_instance is not None and not group.hidden:
            attach(group.typer_instance, f"{group.name} ")

"""`python -m headrace.trainer`: serve until told to stop."""

from headrace.chassis import run
from headrace.trainer.service import build
from headrace.trainer.settings import TrainerSettings

if __name__ == "__main__":
    run(build(TrainerSettings()))

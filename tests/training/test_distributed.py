"""Two processes on CPU by accelerate: the same weights in both, and those of one process with twice the batch."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import pytest
import safetensors.torch
import torch

import hybrid_qproj

for _module in ("datasets", "accelerate", "sentence_transformers", "pydantic", "tensorboard"):
    pytest.importorskip(_module, reason="needs the extra 'train'")

from hybrid_qproj.text.encoders import load_encoder  # noqa: E402
from hybrid_qproj.training.checkpoints import OBJECTIVE, last_checkpoint  # noqa: E402

# Without a GPU, --multi_gpu starts processes that train on CPU; --cpu would start one.
TWO = [
    "--multi_gpu",
    "--num_processes",
    "2",
    "--num_machines",
    "1",
    "--mixed_precision",
    "no",
    "--dynamo_backend",
    "no",
]
SETTINGS = ["--head", "quantum", "--objective", "labels"]


# Plain gradient descent: Adam turns gradients as small as rounding into steps of any size.
DRIVER = """
from hybrid_qproj.cli import main
from hybrid_qproj.training import run

adam = run.training_arguments

def descent(*arguments):
    found = adam(*arguments)
    found.optim = "sgd"
    return found

run.training_arguments = descent
main()
"""


@pytest.mark.slow
def test_two_processes_train_as_one(tiny_bert, tmp_path, write_experiment):
    """Head, encoder layer and temperature: gradients are averaged over processes."""
    config = write_experiment(tmp_path, tiny_bert, layers="1")
    (tmp_path / "driver.py").write_text(DRIVER)
    # Without dropout, which differs between processes, and all 16 examples in each step: their order does not matter.
    text = config.read_text().replace("fractions = [2, 4]", "fractions = [4]").replace("steps = 4", "steps = 3")
    bert = tmp_path / "bert"
    _without_dropout(tiny_bert, bert)
    text = text.replace(str(tiny_bert), str(bert)).replace("learning_rate = 5e-2", "learning_rate = 1.0")
    states, temperatures = [], []
    for number, (batch, launcher) in enumerate(((16, []), (8, ["-m", "accelerate.commands.launch", *TWO]))):
        config.write_text(text.replace("batch_size = 6", f"batch_size = {batch}"))
        out = tmp_path / str(number)
        done = subprocess.run(
            [
                sys.executable,
                *launcher,
                str(tmp_path / "driver.py"),
                "train",
                str(config),
                "--out",
                str(out),
                *SETTINGS,
            ],
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        states.append(hybrid_qproj.load(out / "model").state_dict())
        objective = safetensors.torch.load_file(last_checkpoint(out) / OBJECTIVE)
        temperatures.append(objective["labels.objective.log_scale"].item())
    before = load_encoder(bert, max_tokens=16, device="cpu").state_dict()
    moved = [(states[0][name] - value).abs().max().item() for name, value in before.items() if ".layer.2." in name]
    assert max(moved) > 1e-3
    for name, value in states[0].items():
        # A gradient that is not averaged is off by as much as it moves a weight, a tenth and more.
        assert torch.allclose(value, states[1][name], atol=1e-4), name
    assert temperatures[0] == pytest.approx(temperatures[1], abs=1e-4)
    assert abs(temperatures[0] - math.log(20)) > 5e-3


def _without_dropout(source, target):
    transformers = pytest.importorskip("transformers")
    model = transformers.BertModel.from_pretrained(source, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model.save_pretrained(target)
    transformers.AutoTokenizer.from_pretrained(source).save_pretrained(target)

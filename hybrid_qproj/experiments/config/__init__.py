"""An experiment's file: its tables, a file each, and reading it."""

from hybrid_qproj.experiments.config.data import DataConfig, LabelsConfig, TestConfig, TextsConfig
from hybrid_qproj.experiments.config.encoder import EncoderConfig
from hybrid_qproj.experiments.config.experiment import ExperimentConfig, load_config, parse_config
from hybrid_qproj.experiments.config.fields import ConfigError
from hybrid_qproj.experiments.config.heads import HeadConfig, ObjectiveConfig

__all__ = [
    "ConfigError",
    "DataConfig",
    "EncoderConfig",
    "ExperimentConfig",
    "HeadConfig",
    "LabelsConfig",
    "ObjectiveConfig",
    "TestConfig",
    "TextsConfig",
    "load_config",
    "parse_config",
]

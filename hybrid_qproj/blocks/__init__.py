"""A block: an ansatz on a device, as a QNode, a TorchLayer and a response tensor."""

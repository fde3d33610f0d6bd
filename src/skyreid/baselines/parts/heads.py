"""What stands behind the backbones: a batch normalisation of features ("BN-neck") and linear classifiers."""

from torch import nn


def make_neck(dim: int, *, trains_bias: bool, weight_std: float = 0.0) -> nn.BatchNorm1d:
    """Normalise features over the batch before they are classified and compared.

    Args:
        dim: length of a feature.
        trains_bias: False keeps the bias at 0.
        weight_std: of the weights at the start, around 1.
    """
    neck = nn.BatchNorm1d(dim)
    nn.init.normal_(neck.weight, mean=1.0, std=weight_std)
    neck.bias.requires_grad_(trains_bias)
    return neck


def make_classifier(dim: int, num_classes: int, *, bias: bool) -> nn.Linear:
    """Classify features into the training identities; only training needs it."""
    classifier = nn.Linear(dim, num_classes, bias=bias)
    nn.init.normal_(classifier.weight, std=0.001)
    if bias:
        nn.init.zeros_(classifier.bias)
    return classifier

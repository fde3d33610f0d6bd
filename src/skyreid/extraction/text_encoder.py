"""A description to the embedding that the pictures of a CLIP model are compared with.

It takes a checkpoint that keeps its text tower, its token embedding, and what its tokens stand for: whole words, or
CLIP's byte pairs, whose vocabulary is a published file.
"""

import gzip
import io
import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from skyreid.checkpoint import build_to_fit, read_checkpoint
from skyreid.errors import CheckpointError, SettingError
from skyreid.files.config_json import from_json
from skyreid.files.regular_file import read_regular
from skyreid.models.identity_prompt import END, START
from skyreid.models.text_tower import TextTower
from skyreid.models.tower_pair import CLIP_VOCABULARY
from skyreid.models.vsla_clip import VslaClipConfig
from skyreid.processes.progress import Progress, silent
from skyreid.weights.weights_cache import fetch

TEMPLATE = "a photo of a person, {}."
"""Around a description. CLIP's captions begin so, and the sentences of stage 1 do (CLIP-ReID, section 4.1)."""
_IS_CAPTION = re.compile(r"an? photo of\b", re.IGNORECASE)
VOCABULARY = "clip-vocabulary"
"""Its name among the published files."""
_MOST_BYTES = 2**24
_MOST_TEXT_BYTES = 2**26
_PIECES = re.compile(r"'(?:s|t|re|ve|m|ll|d)|[^\W\d_]+|\d|(?:_|[^\w\s])+")
"""What CLIP cuts a text into before pairs are joined: words, single digits, runs of other signs."""


class TextEncoder:
    """The text side of a checkpoint.

    Args:
        folder: of the checkpoint.
        vocabulary: CLIP's bpe_simple_vocab_16e6.txt.gz; None = the published one, fetched on first use.
        progress: hears of what is fetched.

    Raises:
        CheckpointError: no checkpoint, one without a text tower, or one that lacks the words for it.
        WeightsError: the published vocabulary cannot be had.
    """

    def __init__(self, folder: Path, *, vocabulary: Path | None = None, progress: Progress = silent) -> None:
        if not folder.is_dir():
            raise CheckpointError(f"{folder}: is a network of pictures alone; a text is asked of a CLIP checkpoint")
        checkpoint = read_checkpoint(folder)
        if checkpoint.config.get("kind") not in ("clip-pair", "vsla-clip"):
            raise CheckpointError(f"{folder}: is a model without a text tower; a text is asked of a CLIP model")
        weights = {
            name: tensor.float()
            for name, tensor in checkpoint.weights.items()
            if name.startswith(("text_tower.", "token_embedding."))
        }
        if "token_embedding.weight" not in weights:
            raise CheckpointError(
                f"{folder}: keeps no token embedding, as checkpoints of skyreid up to 0.1 and those whose training "
                "began from nothing; a text takes one (train again, or ask the pretrained pair)"
            )
        config = from_json(VslaClipConfig, checkpoint.config.get("model"), where=f"{folder}: model")
        rows = len(weights["token_embedding.weight"])
        text_side = build_to_fit(lambda: _TextSide(config, rows), weights, origin=str(folder)).eval()
        self._tower, self._tokens = text_side.text_tower, text_side.token_embedding
        self._longest = config.text.context_length
        words = checkpoint.config.get("words")
        if isinstance(words, list):
            self._tokenizer = WordTokenizer([str(word) for word in words], origin=str(folder))
        elif rows == CLIP_VOCABULARY:
            path = fetch(VOCABULARY, progress=progress) if vocabulary is None else vocabulary
            self._tokenizer = BytePairTokenizer(read_merges(path, tokens=rows))
        else:
            raise CheckpointError(
                f"{folder}: does not tell what its {rows} tokens stand for, and CLIP's own are {CLIP_VOCABULARY}"
            )
        self.embed_dim = config.embed_dim
        """Length of an embedding: that of the joint feature of pictures."""

    @torch.inference_mode()
    def embed(self, text: str) -> Float32[np.ndarray, " embed"]:
        """Embed a description, in a sentence around it if it is none.

        Raises:
            SettingError: it is empty, too long, or has words that the model does not know.
        """
        plain = " ".join(text.split())
        if not plain:
            raise SettingError("a text to ask with has at least one word")
        sentence = plain if _IS_CAPTION.match(plain) else TEMPLATE.format(plain.rstrip("."))
        numbers = self._tokenizer.encode(sentence)
        if len(numbers) > self._longest:
            raise SettingError(
                f"a text to ask with has at most {self._longest} tokens, and this one {len(numbers)}; got {text!r:.80}"
            )
        return self._tower(self._tokens(torch.tensor([numbers])))[0].numpy()


class _TextSide(nn.Module):
    """Under the names that a checkpoint has."""

    def __init__(self, config: VslaClipConfig, tokens: int) -> None:
        super().__init__()
        self.text_tower = TextTower(config.text, embed_dim=config.embed_dim)
        self.token_embedding = nn.Embedding(tokens, config.text.width)


class WordTokenizer:
    """Whole words, as the small towers know them; signs but the full stop are passed over."""

    def __init__(self, words: Sequence[str], *, origin: str) -> None:
        self._numbers = {word: number for number, word in enumerate(words)}
        self._origin = origin

    def encode(self, text: str) -> list[int]:
        """Give the token numbers between the marks of start and end.

        Raises:
            SettingError: a word that is not known.
        """
        words = re.findall(r"[\w-]+|\.", text.lower())
        if unknown := [word for word in words if word not in self._numbers]:
            known = ", ".join(sorted(word for word in self._numbers if word[0].isalpha()))
            raise SettingError(
                f"{self._origin}: does not know {', '.join(map(repr, dict.fromkeys(unknown)))}; its words: {known}"
            )
        return [self._numbers[word] for word in (START, *words, END)]


class BytePairTokenizer:
    """CLIP's tokenizer: bytes that are joined, pair by pair, in the order in which the pairs were learned.

    Source: Sennrich et al. 2016 (byte pair encoding), over bytes as in GPT-2; Radford et al. 2021, section 2.4.
    """

    def __init__(self, merges: Sequence[tuple[str, str]]) -> None:
        letters = _byte_letters()
        # Bytes in the order of their letters, then the same as the end of a word, then what pairs make, then the marks.
        order = sorted(letters.values())
        tokens = [*order, *(f"{letter}</w>" for letter in order), *("".join(pair) for pair in merges), START, END]
        self._numbers = {token: number for number, token in enumerate(tokens)}
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._letters = letters

    def encode(self, text: str) -> list[int]:
        """Give the token numbers between the marks of start and end."""
        pieces = _PIECES.findall(" ".join(text.lower().split()))
        return [
            self._numbers[token] for token in (START, *(part for piece in pieces for part in self._parts(piece)), END)
        ]

    def _parts(self, piece: str) -> list[str]:
        parts = [self._letters[byte] for byte in piece.encode("utf-8")]
        parts[-1] += "</w>"
        while len(parts) > 1:
            first, second = min(pairwise(parts), key=lambda pair: self._ranks.get(pair, len(self._ranks)))
            if (first, second) not in self._ranks:
                break
            joined: list[str] = []
            for part in parts:
                if joined and (joined[-1], part) == (first, second):
                    joined[-1] = first + second
                else:
                    joined.append(part)
            parts = joined
        return parts


@cache
def _byte_letters() -> Mapping[int, str]:
    """A visible letter for every byte: its own where Latin-1 has one, else the next from 256 on."""
    visible = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = iter(range(256, 512))
    return {byte: chr(byte if byte in visible else next(hidden)) for byte in range(256)}


def read_merges(path: Path, *, tokens: int) -> list[tuple[str, str]]:
    """Read the pairs of a vocabulary in their order: gzip, a line of version, then two parts a line.

    Args:
        path: of the file.
        tokens: of the model; all but 2 x 256 bytes and two marks are pairs.

    Raises:
        SettingError: the file is missing, or is no such vocabulary.
    """
    try:
        with gzip.open(io.BytesIO(read_regular(path, most_bytes=_MOST_BYTES))) as file:
            lines = file.read(_MOST_TEXT_BYTES).decode("utf-8").split("\n")[1:]
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise SettingError(f"{path}: cannot be read as CLIP's vocabulary (gzip): {error}") from error
    wanted = tokens - 2 * 256 - 2
    pairs = [(parts[0], parts[1]) for line in lines[:wanted] if len(parts := line.split()) == 2]
    if len(pairs) != wanted:
        raise SettingError(f"{path}: must hold {wanted} pairs, as CLIP's vocabulary does; got {len(pairs)}")
    return pairs

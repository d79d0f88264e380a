"""Chapter 02, embeddings: what a token means, and where it stands.

Read the modules in this order: `lookup`; `cooccurrence`, `pairs`, `word2vec`, `adagrad`, `word2vec_train` and `glove` (vectors from
company), `vectors`, `analogies` and `maps` (what is in them); `absolute`, `relative`, `rotary`, `alibi` and `positions` (where a token
stands); `contextual`, `senses` and `lengths` (a small Transformer as an instrument); `propagation` (few labels).
"""

from lmcourse.embeddings.absolute import (
    LearnedPositions,
    frequencies,
    position_angles,
    shift_matrix,
    sinusoidal_positions,
)
from lmcourse.embeddings.alibi import alibi_bias, alibi_slopes
from lmcourse.embeddings.analogies import AnalogyResult, analogy, answer_analogies
from lmcourse.embeddings.contextual import (
    ProbeConfig,
    ProbeTransformer,
    excess_by_position,
    row_index,
    token_losses,
)
from lmcourse.embeddings.cooccurrence import cooccurrence, pmi, ppmi, truncated_svd
from lmcourse.embeddings.few_labels import FewLabels, few_labels
from lmcourse.embeddings.glove import GloVe, GloVeConfig, glove_loss, glove_weight, train_glove
from lmcourse.embeddings.lengths import length_generalization, train_probe
from lmcourse.embeddings.lookup import Embedding, lookup, lookup_gradient, one_hot
from lmcourse.embeddings.maps import PCAMap, pca_map, tsne_map
from lmcourse.embeddings.pairs import WordPairs, context_pairs, keep_probability, noise_law, subsample
from lmcourse.embeddings.positions import POSITION_SCHEMES, PositionConfig, PositionScheme, position_scheme
from lmcourse.embeddings.propagation import decide, knn_graph, propagate, spread
from lmcourse.embeddings.relative import relative_positions, shaw_scores, t5_bias, t5_buckets
from lmcourse.embeddings.rotary import interleaved_to_half, rotate
from lmcourse.embeddings.senses import ProbeResult, hidden_states, sense_probe
from lmcourse.embeddings.vectors import WordVectors, cosine
from lmcourse.embeddings.word2vec import (
    Word2Vec,
    Word2VecConfig,
    cbow_loss,
    held_out_loss,
    make_pair_test,
    sgns_loss,
)
from lmcourse.embeddings.word2vec_train import train_word2vec

__all__ = [
    "POSITION_SCHEMES",
    "AnalogyResult",
    "Embedding",
    "FewLabels",
    "GloVe",
    "GloVeConfig",
    "LearnedPositions",
    "PCAMap",
    "PositionConfig",
    "PositionScheme",
    "ProbeConfig",
    "ProbeResult",
    "ProbeTransformer",
    "Word2Vec",
    "Word2VecConfig",
    "WordPairs",
    "WordVectors",
    "alibi_bias",
    "alibi_slopes",
    "analogy",
    "answer_analogies",
    "cbow_loss",
    "context_pairs",
    "cooccurrence",
    "cosine",
    "decide",
    "excess_by_position",
    "few_labels",
    "frequencies",
    "glove_loss",
    "glove_weight",
    "held_out_loss",
    "hidden_states",
    "interleaved_to_half",
    "keep_probability",
    "knn_graph",
    "length_generalization",
    "lookup",
    "lookup_gradient",
    "make_pair_test",
    "noise_law",
    "one_hot",
    "pca_map",
    "pmi",
    "position_angles",
    "position_scheme",
    "ppmi",
    "propagate",
    "relative_positions",
    "rotate",
    "row_index",
    "sense_probe",
    "sgns_loss",
    "shaw_scores",
    "shift_matrix",
    "sinusoidal_positions",
    "spread",
    "subsample",
    "t5_bias",
    "t5_buckets",
    "token_losses",
    "train_glove",
    "train_probe",
    "train_word2vec",
    "truncated_svd",
    "tsne_map",
]

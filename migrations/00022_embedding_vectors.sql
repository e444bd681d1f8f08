-- +goose Up
-- Embeddings of texts that a provider made for a trained model, so that the same text is not paid twice and gives the same
-- class when it is classified once more. No text is here, only its hash. Rows are forgotten after a while.

CREATE TABLE weir.embedding_vectors (
    embedder text        NOT NULL, -- the provider's model, what the texts are to it, and the dimension
    hash     bytea       NOT NULL, -- SHA-256 of the text
    vector   bytea       NOT NULL, -- float32 in little-endian order
    made_at  timestamptz NOT NULL,
    CONSTRAINT embedding_vectors_pkey PRIMARY KEY (embedder, hash),
    CONSTRAINT embedding_vectors_hash_check CHECK (length(hash) = 32),
    CONSTRAINT embedding_vectors_vector_check CHECK (length(vector) > 0 AND length(vector) % 4 = 0)
);
CREATE INDEX embedding_vectors_made_at_idx ON weir.embedding_vectors (made_at);

-- +goose Down
DROP TABLE weir.embedding_vectors;

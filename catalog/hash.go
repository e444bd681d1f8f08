package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// hashOf is the SHA-256 of the catalog as JSON. encoding/json writes struct fields in their order and map keys sorted,
// and every free-form part is canonical already, so equal configurations have equal bytes.
func hashOf(c *Catalog) (string, error) {
	plain := *c
	plain.Hash = ""
	encoded, err := json.Marshal(plain)
	if err != nil {
		return "", fmt.Errorf("hash catalog: %w", err)
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:]), nil
}

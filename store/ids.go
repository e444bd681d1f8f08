package store

import (
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// idArray makes an array argument of UUIDs that pgx encodes in binary. For a []uuid.UUID it would go through
// database/sql's Valuer and text for every element, which is a sixth of the CPU of a busy worker.
func idArray(list []uuid.UUID) pgtype.FlatArray[pgtype.UUID] {
	array := make(pgtype.FlatArray[pgtype.UUID], len(list))
	for i, id := range list {
		array[i] = pgtype.UUID{Bytes: id, Valid: true}
	}
	return array
}

// nullIDArray is idArray with NULLs.
func nullIDArray(list []*uuid.UUID) pgtype.FlatArray[pgtype.UUID] {
	array := make(pgtype.FlatArray[pgtype.UUID], len(list))
	for i, id := range list {
		if id != nil {
			array[i] = pgtype.UUID{Bytes: *id, Valid: true}
		}
	}
	return array
}

// idValue is one UUID for COPY, encoded in binary like those of idArray.
func idValue(id uuid.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }

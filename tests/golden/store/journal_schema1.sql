-- A journal as schema 1 left it: one published round, one open one with a received update.
PRAGMA application_id = 1415006769;
CREATE TABLE run (id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL, seed INTEGER NOT NULL,
  state INTEGER NOT NULL, reason TEXT NOT NULL, model_spec BLOB NOT NULL, plan BLOB NOT NULL,
  started_at INTEGER NOT NULL, exported_path TEXT NOT NULL) STRICT;
CREATE TABLE rounds (round INTEGER PRIMARY KEY, base_version INTEGER NOT NULL, state INTEGER NOT NULL,
  fixed_point BLOB NOT NULL, time_left INTEGER NOT NULL, started_at INTEGER NOT NULL, duration INTEGER NOT NULL,
  version INTEGER, invited INTEGER NOT NULL, training INTEGER NOT NULL, folding INTEGER NOT NULL,
  folded INTEGER NOT NULL, failed INTEGER NOT NULL, dropped INTEGER NOT NULL, discarded INTEGER NOT NULL,
  train_loss REAL, traffic BLOB NOT NULL, reason TEXT NOT NULL) STRICT;
CREATE TABLE assignments (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, client TEXT NOT NULL,
  kind INTEGER NOT NULL, round INTEGER NOT NULL, version INTEGER NOT NULL, state INTEGER NOT NULL,
  reason TEXT NOT NULL, received INTEGER, payload_id BLOB, payload_size INTEGER, manifest_size INTEGER,
  spool_file TEXT, examples INTEGER, train_loss REAL, train_time INTEGER) STRICT;
CREATE TABLE versions (version INTEGER PRIMARY KEY, round INTEGER NOT NULL, weights_file TEXT NOT NULL,
  state_file TEXT NOT NULL, downlink_file TEXT NOT NULL, payload_id BLOB NOT NULL, payload_size INTEGER NOT NULL,
  manifest_size INTEGER NOT NULL, weights_sha256 BLOB NOT NULL, fp32_downlink_size INTEGER NOT NULL) STRICT;
CREATE TABLE evaluations (version INTEGER NOT NULL, client TEXT NOT NULL, examples INTEGER NOT NULL, loss REAL,
  accuracy REAL, PRIMARY KEY (version, client)) STRICT;
INSERT INTO run VALUES (1, 'old', -1, 1, '', x'', x'706c616e', 1700000000000000000, '');
INSERT INTO rounds VALUES (1, 0, 4, x'', 0, 1700000000000000000, 2000000000, 1, 2, 0, 0, 2, 0, 0, 0, 0.5, x'', '');
INSERT INTO rounds VALUES (2, 1, 2, x'0102', 9223372036854775807, 1700000002000000000, 0, NULL, 1, 0, 1, 0, 0, 0, 0,
  NULL, x'', '');
INSERT INTO assignments VALUES (1, 'r2-a', 'a', 1, 2, 1, 1, '', 1,
  x'abababababababababababababababababababababababababababababababab', 5000, 136, 'r2-a.abababababababab.update', 60,
  0.25, 1500000000);
INSERT INTO versions VALUES (1, 1, 'v00000001.safetensors', '', 'v00000001.payload',
  x'cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd', 4000, 136,
  x'efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef', 9000);
PRAGMA user_version = 1;

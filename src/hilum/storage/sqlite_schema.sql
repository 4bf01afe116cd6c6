CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0013');
CREATE TABLE aliases (
	name VARCHAR(20) NOT NULL, 
	version VARCHAR(128) NOT NULL, 
	earlier JSON NOT NULL, 
	moved_at DATETIME NOT NULL, 
	moved_by VARCHAR(40) NOT NULL, 
	CONSTRAINT pk_aliases PRIMARY KEY (name), 
	CONSTRAINT fk_aliases_version_models FOREIGN KEY(version) REFERENCES models (version)
);
CREATE TABLE api_keys (
	id CHAR(32) NOT NULL, 
	prefix VARCHAR(16) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	role VARCHAR(20) NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME, 
	revoked_at DATETIME, 
	last_used_at DATETIME, 
	CONSTRAINT pk_api_keys PRIMARY KEY (id), 
	CONSTRAINT uq_api_keys_prefix UNIQUE (prefix), 
	CONSTRAINT uq_api_keys_digest UNIQUE (digest)
);
CREATE TABLE audit_events (
	sequence BIGINT NOT NULL, 
	at DATETIME NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	actor VARCHAR(40) NOT NULL, 
	subject VARCHAR(200) NOT NULL, 
	details JSON NOT NULL, 
	previous_digest VARCHAR(64) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_audit_events PRIMARY KEY (sequence)
);
CREATE TABLE audit_head (
	id BIGINT NOT NULL, 
	sequence BIGINT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_audit_head PRIMARY KEY (id)
);
INSERT INTO "audit_head" VALUES(1,0,'0000000000000000000000000000000000000000000000000000000000000000');
CREATE TABLE automation (
	id BIGINT NOT NULL, 
	settings JSON NOT NULL, 
	changed_at DATETIME NOT NULL, 
	holder VARCHAR(64), 
	held_until DATETIME, 
	outcome JSON, 
	CONSTRAINT pk_automation PRIMARY KEY (id)
);
CREATE TABLE batch_chunks (
	batch_id CHAR(32) NOT NULL, 
	number INTEGER NOT NULL, 
	first_index INTEGER NOT NULL, 
	items JSON NOT NULL, 
	pack_sha256 VARCHAR(64), 
	n_attempts INTEGER NOT NULL, 
	done_at DATETIME, 
	CONSTRAINT pk_batch_chunks PRIMARY KEY (batch_id, number), 
	CONSTRAINT fk_batch_chunks_batch_id_batches FOREIGN KEY(batch_id) REFERENCES batches (id) ON DELETE CASCADE
);
CREATE TABLE batch_results (
	batch_id CHAR(32) NOT NULL, 
	item_index INTEGER NOT NULL, 
	image_sha256 VARCHAR(64) NOT NULL, 
	status INTEGER NOT NULL, 
	answer JSON NOT NULL, 
	CONSTRAINT pk_batch_results PRIMARY KEY (batch_id, item_index), 
	CONSTRAINT fk_batch_results_batch_id_batches FOREIGN KEY(batch_id) REFERENCES batches (id) ON DELETE CASCADE
);
CREATE TABLE batch_workers (
	name VARCHAR(100) NOT NULL, 
	seen_at DATETIME NOT NULL, 
	CONSTRAINT pk_batch_workers PRIMARY KEY (name)
);
CREATE TABLE batches (
	id CHAR(32) NOT NULL, 
	status VARCHAR(20) NOT NULL, 
	note VARCHAR(500) NOT NULL, 
	actor VARCHAR(40) NOT NULL, 
	model_version VARCHAR(200) NOT NULL, 
	created_at DATETIME NOT NULL, 
	started_at DATETIME, 
	ended_at DATETIME, 
	n_items INTEGER NOT NULL, 
	n_chunks INTEGER NOT NULL, 
	n_answered INTEGER NOT NULL, 
	n_refused INTEGER NOT NULL, 
	n_chunks_queued INTEGER NOT NULL, 
	n_chunks_done INTEGER NOT NULL, 
	failure VARCHAR(1000), 
	CONSTRAINT pk_batches PRIMARY KEY (id)
);
CREATE TABLE dataset_snapshots (
	digest VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	last_sequence BIGINT NOT NULL, 
	n_images INTEGER NOT NULL, 
	class_names JSON NOT NULL, 
	rows JSON NOT NULL, 
	CONSTRAINT pk_dataset_snapshots PRIMARY KEY (digest)
);
CREATE TABLE feedback (
	prediction_id CHAR(32) NOT NULL, 
	confirmed_class VARCHAR(64) NOT NULL, 
	is_new_label BOOLEAN NOT NULL, 
	given_at DATETIME NOT NULL, joined_class VARCHAR(64), 
	CONSTRAINT pk_feedback PRIMARY KEY (prediction_id), 
	CONSTRAINT fk_feedback_prediction_id_predictions FOREIGN KEY(prediction_id) REFERENCES predictions (id) ON DELETE CASCADE
);
CREATE TABLE labelled_images (
	id CHAR(32) NOT NULL, 
	sequence BIGINT NOT NULL, 
	batch_id CHAR(32) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	kept_sha256 VARCHAR(64), 
	pixels_sha256 VARCHAR(64), 
	class_name VARCHAR(200) NOT NULL, 
	group_name VARCHAR(100) NOT NULL, 
	split VARCHAR(10) NOT NULL, 
	source VARCHAR(20) NOT NULL, 
	status VARCHAR(20) NOT NULL, 
	reasons JSON NOT NULL, 
	added_at DATETIME NOT NULL, 
	file_format VARCHAR(20) NOT NULL, 
	mode VARCHAR(40) NOT NULL, 
	width INTEGER NOT NULL, 
	height INTEGER NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	sketch BLOB, 
	fingerprint BLOB, 
	CONSTRAINT pk_labelled_images PRIMARY KEY (id), 
	CONSTRAINT uq_labelled_images_sequence UNIQUE (sequence), 
	CONSTRAINT fk_labelled_images_batch_id_upload_batches FOREIGN KEY(batch_id) REFERENCES upload_batches (id)
);
CREATE TABLE models (
	version VARCHAR(128) NOT NULL, 
	created_at DATETIME NOT NULL, 
	code_version VARCHAR(200) NOT NULL, 
	files JSON NOT NULL, 
	manifest JSON NOT NULL, 
	metrics JSON, 
	card TEXT, 
	headline JSON, 
	report JSON, 
	parent_version VARCHAR(128), 
	run_id VARCHAR(64), 
	snapshot_digest VARCHAR(64), 
	CONSTRAINT pk_models PRIMARY KEY (version)
);
CREATE TABLE predictions (
	id CHAR(32) NOT NULL, 
	created_at DATETIME NOT NULL, 
	image_sha256 VARCHAR(64) NOT NULL, 
	is_image_kept BOOLEAN NOT NULL, 
	predicted_class VARCHAR(200) NOT NULL, 
	decision VARCHAR(20) NOT NULL, 
	model_version VARCHAR(200) NOT NULL, 
	latency_ms DOUBLE NOT NULL, 
	answer JSON NOT NULL, 
	provenance_digest VARCHAR(64) NOT NULL, kept_sha256 VARCHAR(64), statistics JSON, 
	CONSTRAINT pk_predictions PRIMARY KEY (id), 
	CONSTRAINT fk_predictions_provenance_digest_provenances FOREIGN KEY(provenance_digest) REFERENCES provenances (digest)
);
CREATE TABLE provenances (
	digest VARCHAR(64) NOT NULL, 
	document JSON NOT NULL, 
	CONSTRAINT pk_provenances PRIMARY KEY (digest)
);
CREATE TABLE sessions (
	digest VARCHAR(64) NOT NULL, 
	key_id CHAR(32) NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	CONSTRAINT pk_sessions PRIMARY KEY (digest), 
	CONSTRAINT fk_sessions_key_id_api_keys FOREIGN KEY(key_id) REFERENCES api_keys (id) ON DELETE CASCADE
);
CREATE TABLE training_runs (
	id CHAR(32) NOT NULL, 
	status VARCHAR(20) NOT NULL, 
	mode VARCHAR(10) NOT NULL, 
	policy VARCHAR(10) NOT NULL, 
	note VARCHAR(500) NOT NULL, 
	actor VARCHAR(40) NOT NULL, 
	n_epochs INTEGER, 
	snapshot_digest VARCHAR(64) NOT NULL, 
	n_images INTEGER NOT NULL, 
	parent_version VARCHAR(200), 
	model_version VARCHAR(200), 
	created_at DATETIME NOT NULL, 
	started_at DATETIME, 
	ended_at DATETIME, 
	stage VARCHAR(40), 
	progress DOUBLE NOT NULL, 
	seconds_left DOUBLE, 
	epochs JSON NOT NULL, 
	report JSON, 
	failure VARCHAR(1000), 
	cancel_requested_at DATETIME, 
	active_slot INTEGER, 
	lease_owner VARCHAR(100), 
	lease_until DATETIME, 
	n_attempts INTEGER NOT NULL, 
	CONSTRAINT pk_training_runs PRIMARY KEY (id), 
	CONSTRAINT uq_training_runs_active_slot UNIQUE (active_slot)
);
CREATE TABLE training_workers (
	name VARCHAR(100) NOT NULL, 
	seen_at DATETIME NOT NULL, 
	CONSTRAINT pk_training_workers PRIMARY KEY (name)
);
CREATE TABLE upload_batches (
	id CHAR(32) NOT NULL, 
	created_at DATETIME NOT NULL, 
	source VARCHAR(20) NOT NULL, 
	actor VARCHAR(40) NOT NULL, 
	accepted INTEGER NOT NULL, 
	duplicates INTEGER NOT NULL, 
	quarantined INTEGER NOT NULL, 
	refused INTEGER NOT NULL, 
	items JSON NOT NULL, 
	CONSTRAINT pk_upload_batches PRIMARY KEY (id)
);
CREATE INDEX ix_predictions_created_at_id ON predictions (created_at, id);
CREATE INDEX ix_predictions_predicted_class_created_at_id ON predictions (predicted_class, created_at, id);
CREATE INDEX ix_predictions_image_sha256 ON predictions (image_sha256);
CREATE INDEX ix_sessions_key_id ON sessions (key_id);
CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE INDEX ix_models_created_at_version ON models (created_at, version);
CREATE INDEX ix_training_runs_created_at_id ON training_runs (created_at, id);
CREATE INDEX ix_predictions_kept_sha256 ON predictions (kept_sha256);
CREATE INDEX ix_labelled_images_sha256 ON labelled_images (sha256);
CREATE INDEX ix_labelled_images_status_sequence ON labelled_images (status, sequence);
CREATE UNIQUE INDEX uq_labelled_images_accepted ON labelled_images (sha256) WHERE status = 'accepted';
CREATE INDEX ix_predictions_decision_created_at_id ON predictions (decision, created_at, id);
CREATE INDEX ix_predictions_model_version_created_at_id ON predictions (model_version, created_at, id);
CREATE INDEX ix_batches_created_at_id ON batches (created_at, id);
CREATE INDEX ix_batches_active ON batches (created_at) WHERE status IN ('queued', 'running');
CREATE INDEX ix_labelled_images_status_class_name_split_source_group_name ON labelled_images (status, class_name, split, source, group_name);
CREATE INDEX ix_labelled_images_with_reasons ON labelled_images (status, sequence) WHERE reasons <> '[]';
CREATE INDEX ix_labelled_images_group_name ON labelled_images (group_name);

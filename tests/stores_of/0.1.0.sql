CREATE TABLE schema_version (
	version SERIAL NOT NULL, 
	columns VARCHAR, 
	PRIMARY KEY (version)
);

CREATE TABLE data_set (
	id BIGSERIAL NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	origin VARCHAR NOT NULL, 
	n_rows INTEGER NOT NULL, 
	created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	parquet BYTEA NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (sha256)
);

CREATE TABLE job (
	id BIGSERIAL NOT NULL, 
	request JSON NOT NULL, 
	visitor VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	done INTEGER NOT NULL, 
	total INTEGER NOT NULL, 
	message VARCHAR NOT NULL, 
	worker VARCHAR NOT NULL, 
	created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	started_at TIMESTAMP WITHOUT TIME ZONE, 
	heartbeat TIMESTAMP WITHOUT TIME ZONE, 
	ended_at TIMESTAMP WITHOUT TIME ZONE, 
	PRIMARY KEY (id)
);

CREATE INDEX ix_job_state ON job (state);

CREATE TABLE model_version (
	id BIGSERIAL NOT NULL, 
	algorithm VARCHAR NOT NULL, 
	parameters JSON NOT NULL, 
	seed BIGINT NOT NULL, 
	data_set_id BIGINT NOT NULL, 
	excluded JSON NOT NULL, 
	record JSON NOT NULL, 
	arrays BYTEA NOT NULL, 
	model BYTEA NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	record_sha256 VARCHAR(64) NOT NULL, 
	rival_id BIGINT, 
	job_id BIGINT, 
	created_by VARCHAR NOT NULL, 
	created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	shipped VARCHAR(64), 
	notice VARCHAR NOT NULL, 
	broken VARCHAR, 
	PRIMARY KEY (id), 
	FOREIGN KEY(data_set_id) REFERENCES data_set (id), 
	FOREIGN KEY(rival_id) REFERENCES model_version (id), 
	FOREIGN KEY(job_id) REFERENCES job (id)
);

CREATE INDEX ix_model_version_data_set_id ON model_version (data_set_id);

CREATE INDEX ix_model_version_job_id ON model_version (job_id);

CREATE TABLE promotion (
	id BIGSERIAL NOT NULL, 
	version_id BIGINT NOT NULL, 
	at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
	by VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(version_id) REFERENCES model_version (id)
);

CREATE OR REPLACE FUNCTION promotion_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'promotions are only ever added' USING ERRCODE = 'restrict_violation'; END $$;

CREATE TRIGGER promotion_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON promotion FOR EACH STATEMENT EXECUTE FUNCTION promotion_kept();


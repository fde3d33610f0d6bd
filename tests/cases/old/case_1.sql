BEGIN TRANSACTION;
CREATE TABLE audit (
	seq BIGINT NOT NULL, 
	time TEXT NOT NULL, 
	who TEXT NOT NULL, 
	action TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	details TEXT NOT NULL, 
	previous TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	PRIMARY KEY (seq)
);
INSERT INTO "audit" VALUES(1,'2026-11-29T07:34:46.356303+00:00','anna','case new','square','{"retention_days":30}','0000000000000000000000000000000000000000000000000000000000000000','14089bd3935ad22dcff2bde5dde50cf4def547f04eca71d4a9ffe9d69047dff6');
INSERT INTO "audit" VALUES(2,'2026-11-29T07:34:46.419306+00:00','anna','source add','gate-a','{"file":"a.mp4","purpose":"a test","sha256":"gate-a0000000000000000000000000000000000000000000000000000000000"}','14089bd3935ad22dcff2bde5dde50cf4def547f04eca71d4a9ffe9d69047dff6','60db4a7430d54692fe173fa5fa9e105d4d428a2232f587630c0d298ce2c0bc41');
INSERT INTO "audit" VALUES(3,'2026-11-29T07:34:46.434851+00:00','anna','source add','gate-b','{"file":"b.mp4","purpose":"a test","sha256":"gate-b0000000000000000000000000000000000000000000000000000000000"}','60db4a7430d54692fe173fa5fa9e105d4d428a2232f587630c0d298ce2c0bc41','1248cb15b84a0042f36541921abb63e8333cb0edf5557673be599650f3db32be');
INSERT INTO "audit" VALUES(4,'2026-11-29T07:34:46.466744+00:00','anna','source add','roof-a','{"file":"r.mp4","purpose":"a test","sha256":"roof-a0000000000000000000000000000000000000000000000000000000000"}','1248cb15b84a0042f36541921abb63e8333cb0edf5557673be599650f3db32be','0611361c43b07854a9a4654b1081fd4fbb23f012ad0cd9006a0d780be52af572');
INSERT INTO "audit" VALUES(5,'2026-11-29T07:34:46.497037+00:00','anna','confirmed','gate-a-0001 roof-a-0001','{"event":"f2c4718a2dce4a319d643d7ab8e7a9c7","rank":null,"seconds":null,"similarity":null}','0611361c43b07854a9a4654b1081fd4fbb23f012ad0cd9006a0d780be52af572','3c3454a2f1ee2f898606d4ccbd9b98b30860b0919f8a4ca3d079a4bd6448673d');
CREATE TABLE audit_head (
	number INTEGER NOT NULL CHECK (number = 1), 
	seq BIGINT NOT NULL, 
	hash TEXT NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "audit_head" VALUES(1,5,'3c3454a2f1ee2f898606d4ccbd9b98b30860b0919f8a4ca3d079a4bd6448673d');
CREATE TABLE cameras (
	camid INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	platform TEXT NOT NULL, 
	PRIMARY KEY (camid), 
	UNIQUE (name)
);
INSERT INTO "cameras" VALUES(0,'gate','ground');
INSERT INTO "cameras" VALUES(1,'roof','aerial');
CREATE TABLE case_facts (
	number INTEGER NOT NULL CHECK (number = 1), 
	case_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	schema_version INTEGER NOT NULL, 
	created_at TEXT NOT NULL, 
	created_by TEXT NOT NULL, 
	retention_days INTEGER NOT NULL, 
	legal_hold TEXT, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "case_facts" VALUES(1,'5733d20e6ea2423d84cb65b60580f48a','square',1,'2026-11-29T07:34:46.349369+00:00','anna',30,NULL,3);
CREATE TABLE decisions (
	seq INTEGER NOT NULL, 
	event_id TEXT NOT NULL, 
	time TEXT NOT NULL, 
	annotator TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	first TEXT, 
	second TEXT, 
	first_fingerprint TEXT, 
	second_fingerprint TEXT, 
	rank INTEGER, 
	similarity FLOAT, 
	model INTEGER, 
	seconds FLOAT, 
	undoes TEXT, 
	annotators INTEGER, 
	moved JSON, 
	PRIMARY KEY (seq), 
	UNIQUE (event_id)
);
INSERT INTO "decisions" VALUES(1,'f2c4718a2dce4a319d643d7ab8e7a9c7','2026-11-29T07:34:46.481759+00:00','anna','confirmed','gate-a-0001','roof-a-0001','e4702ac5df656290','552e86c9095e3e00',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE jobs (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	"key" TEXT NOT NULL, 
	spec JSON NOT NULL, 
	settings JSON NOT NULL, 
	purpose TEXT NOT NULL, 
	priority INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	attempt INTEGER NOT NULL, 
	accidents INTEGER NOT NULL, 
	worker TEXT, 
	lease_until FLOAT NOT NULL, 
	reason TEXT, 
	steps JSON NOT NULL, 
	source INTEGER, 
	added_at TEXT NOT NULL, 
	added_by TEXT NOT NULL, 
	UNIQUE ("key")
);
CREATE TABLE models (
	number INTEGER NOT NULL, 
	model TEXT NOT NULL, 
	feeding TEXT NOT NULL, 
	seen_unmasked BOOLEAN NOT NULL, 
	width INTEGER NOT NULL, 
	precision TEXT, 
	PRIMARY KEY (number), 
	UNIQUE (model, feeding, seen_unmasked, width)
);
INSERT INTO "models" VALUES(1,'mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm','',0,4,NULL);
CREATE TABLE removed_vectors (
	tracklet INTEGER NOT NULL, 
	model INTEGER NOT NULL, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (tracklet, model)
);
CREATE TABLE sources (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT NOT NULL, 
	camid INTEGER NOT NULL, 
	file TEXT NOT NULL, 
	path TEXT, 
	sha256 TEXT NOT NULL, 
	crops TEXT NOT NULL, 
	start_time TEXT, 
	clock_offset_s FLOAT NOT NULL, 
	purpose TEXT NOT NULL, 
	authorisation TEXT, 
	authorised_until TEXT, 
	retain_until TEXT NOT NULL, 
	facts JSON NOT NULL, 
	settings JSON NOT NULL, 
	is_simulated BOOLEAN NOT NULL, 
	num_tracklets INTEGER NOT NULL, 
	added_at TEXT NOT NULL, 
	added_by TEXT NOT NULL, 
	trashed_at TEXT, 
	trashed_by TEXT, 
	UNIQUE (name), 
	FOREIGN KEY(camid) REFERENCES cameras (camid), 
	UNIQUE (crops)
);
INSERT INTO "sources" VALUES(1,'gate-a',0,'a.mp4',NULL,'gate-a0000000000000000000000000000000000000000000000000000000000','64eb83b7dcd34bb680a036d0761a7d1b','2026-05-04T09:00:00+00:00',0.0,'a test',NULL,NULL,'2026-12-29T07:34:46+00:00','{"name": "gate-a", "file": "a.mp4", "camera": "gate", "platform": "ground", "start_time": "2026-05-04T09:00:00Z", "video_sha256": "gate-a0000000000000000000000000000000000000000000000000000000000"}','{"identities": "per-tracklet", "interval_s": 0.5, "faces_masked": true, "simulated": false}',0,2,'2026-11-29T07:34:46.417628+00:00','anna',NULL,NULL);
INSERT INTO "sources" VALUES(2,'gate-b',0,'b.mp4',NULL,'gate-b0000000000000000000000000000000000000000000000000000000000','7ba24da9ffff4b5abffe596332e7a14d','2026-05-04T09:01:00+00:00',0.0,'a test',NULL,NULL,'2026-12-29T07:34:46+00:00','{"name": "gate-b", "file": "b.mp4", "camera": "gate", "platform": "ground", "start_time": "2026-05-04T09:01:00Z", "video_sha256": "gate-b0000000000000000000000000000000000000000000000000000000000"}','{"identities": "per-tracklet", "interval_s": 0.5, "faces_masked": true, "simulated": false}',0,1,'2026-11-29T07:34:46.434263+00:00','anna',NULL,NULL);
INSERT INTO "sources" VALUES(3,'roof-a',1,'r.mp4',NULL,'roof-a0000000000000000000000000000000000000000000000000000000000','f39cc41f99554f8091475ec34bacec36','2026-05-04T11:00:10+02:00',0.0,'a test',NULL,NULL,'2026-12-29T07:34:46+00:00','{"name": "roof-a", "file": "r.mp4", "camera": "roof", "platform": "aerial", "start_time": "2026-05-04T11:00:10+02:00", "video_sha256": "roof-a0000000000000000000000000000000000000000000000000000000000"}','{"identities": "per-tracklet", "interval_s": 0.5, "faces_masked": true, "simulated": false}',0,1,'2026-11-29T07:34:46.465986+00:00','anna',NULL,NULL);
CREATE TABLE tracklets (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	tracklet_id TEXT NOT NULL, 
	source INTEGER NOT NULL, 
	pid INTEGER NOT NULL, 
	frames JSON NOT NULL, 
	attributes JSON NOT NULL, 
	fingerprint TEXT NOT NULL, 
	first_s FLOAT, 
	last_s FLOAT, 
	height_px FLOAT, 
	latitude FLOAT, 
	longitude FLOAT, 
	revision BIGINT NOT NULL, 
	UNIQUE (tracklet_id), 
	FOREIGN KEY(source) REFERENCES sources (number)
);
INSERT INTO "tracklets" VALUES(1,'gate-a-0001',1,1,'[[0, 0.0, [1.0, 2.0, 3.0, 4.0], "2d26f85889bdbf78cc7bf74ebdfd137f7facc7bb2262b0c3d5421ed3453209cc"], [1, 2.0, [1.0, 2.0, 3.0, 4.0], "2d26f85889bdbf78cc7bf74ebdfd137f7facc7bb2262b0c3d5421ed3453209cc"]]','{}','e4702ac5df656290',0.0,2.0,2.0,NULL,NULL,1);
INSERT INTO "tracklets" VALUES(2,'gate-a-0002',1,2,'[[0, 1.0, [4.0, 2.0, 6.0, 4.0], "23a4e578a8f15d9e836854b2e2555ac3eb66c71ad0fa2f1dd184c3bc7bfc9533"], [1, 3.0, [4.0, 2.0, 6.0, 4.0], "23a4e578a8f15d9e836854b2e2555ac3eb66c71ad0fa2f1dd184c3bc7bfc9533"]]','{}','d45edb4d3ad777a1',1.0,3.0,2.0,NULL,NULL,1);
INSERT INTO "tracklets" VALUES(3,'gate-b-0001',2,3,'[[0, 2.0, [7.0, 2.0, 9.0, 4.0], "3a86da9b5283e648935e5555c1acbffdb4e93909a5579977503b87d4d36aafc3"], [1, 4.0, [7.0, 2.0, 9.0, 4.0], "3a86da9b5283e648935e5555c1acbffdb4e93909a5579977503b87d4d36aafc3"]]','{}','f23e8fa0221fd4a6',2.0,4.0,2.0,NULL,NULL,2);
INSERT INTO "tracklets" VALUES(4,'roof-a-0001',3,4,'[[0, 3.0, [10.0, 2.0, 12.0, 4.0], "592970a556014ffbe72ce61f6e6455a7427dc5a90f798b8cebdc4d58f167d5e2"], [1, 5.0, [10.0, 2.0, 12.0, 4.0], "592970a556014ffbe72ce61f6e6455a7427dc5a90f798b8cebdc4d58f167d5e2"]]','{}','552e86c9095e3e00',3.0,5.0,2.0,NULL,NULL,3);
CREATE TABLE vectors (
	tracklet INTEGER NOT NULL, 
	model INTEGER NOT NULL, 
	embedding BLOB NOT NULL, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (tracklet, model), 
	FOREIGN KEY(tracklet) REFERENCES tracklets (number), 
	FOREIGN KEY(model) REFERENCES models (number)
);
INSERT INTO "vectors" VALUES(1,1,X'6CBF003E7F4607BEBDF2233FDFD5D63D',1);
INSERT INTO "vectors" VALUES(2,1,X'A12109BFFD22B93E79E9A63FE673723F',1);
INSERT INTO "vectors" VALUES(3,1,X'FE2734BF55F9A1BFEA8E1FBF6E45293D',2);
INSERT INTO "vectors" VALUES(4,1,X'4ECD14C0EC0A60BE037A9FBFE0753BBF',3);
CREATE INDEX ix_tracklets_revision ON tracklets (revision);
CREATE INDEX ix_tracklets_source ON tracklets (source);
CREATE INDEX ix_tracklets_pid ON tracklets (pid);
CREATE INDEX vectors_by_revision ON vectors (model, revision);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('sources',3);
INSERT INTO "sqlite_sequence" VALUES('tracklets',4);
COMMIT;

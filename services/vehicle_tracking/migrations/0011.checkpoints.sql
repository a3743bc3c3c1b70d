-- How far each partition has been worked off: the state file covers every record before next_offset. `epoch` counts
-- owners: one that has lost the partition and does not know it yet can write nothing here any more.
CREATE TABLE checkpoints (
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    path text NOT NULL,
    epoch bigint NOT NULL,
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, partition)
);

-- Which file holds which records, start_offset inclusive, end_offset exclusive. Files of a partition do not overlap.
CREATE TABLE track_files (
    topic text NOT NULL,
    partition integer NOT NULL,
    start_offset bigint NOT NULL,
    end_offset bigint NOT NULL,
    path text NOT NULL,
    position_count bigint NOT NULL,
    fix_time_ms_min bigint NOT NULL,
    fix_time_ms_max bigint NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, partition, start_offset)
);
CREATE INDEX track_files_fix_time ON track_files (topic, partition, fix_time_ms_max, fix_time_ms_min);

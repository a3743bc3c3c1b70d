-- The event log. Records of a topic lie in segments, one table each, that retention drops whole. Whoever appends to a
-- partition holds its row in event_log.partitions until it commits: offsets have no gaps and become visible in order.
CREATE SCHEMA event_log;

CREATE TABLE event_log.topics (
    topic_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    partition_count integer NOT NULL,
    retention_ms bigint NOT NULL,
    segment_ms bigint NOT NULL,
    segment integer NOT NULL DEFAULT 0,
    segment_start_ms bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE event_log.partitions (
    topic_id integer NOT NULL REFERENCES event_log.topics,
    partition integer NOT NULL,
    next_offset bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic_id, partition)
) WITH (fillfactor = 10);

-- Where each segment begins in each partition; the last one is open.
CREATE TABLE event_log.segments (
    topic_id integer NOT NULL REFERENCES event_log.topics,
    segment integer NOT NULL,
    partition integer NOT NULL,
    start_offset bigint NOT NULL,
    start_ms bigint NOT NULL,
    PRIMARY KEY (topic_id, segment, partition)
);

CREATE TABLE event_log.members (
    group_name text NOT NULL,
    member_id uuid NOT NULL,
    topic_ids integer[] NOT NULL,
    heartbeat_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (group_name, member_id)
) WITH (fillfactor = 50);

-- Who reads which partition for a group, who should, and how far the group has come.
CREATE TABLE event_log.owners (
    group_name text NOT NULL,
    topic_id integer NOT NULL REFERENCES event_log.topics,
    partition integer NOT NULL,
    member_id uuid,
    wanted_id uuid,
    next_offset bigint,
    PRIMARY KEY (group_name, topic_id, partition)
) WITH (fillfactor = 25);

CREATE FUNCTION event_log.now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

CREATE FUNCTION event_log.open_segment(_topic_id integer, _now_ms bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    _segment integer;
    _table text;
BEGIN
    UPDATE event_log.topics SET segment = segment + 1, segment_start_ms = _now_ms
    WHERE topic_id = _topic_id RETURNING segment INTO _segment;
    INSERT INTO event_log.segments
    SELECT topic_id, _segment, partition, next_offset, _now_ms FROM event_log.partitions WHERE topic_id = _topic_id;
    _table := format('event_log.records_%s_%s', _topic_id, _segment);
    -- Append-only and dropped whole: vacuuming would only read it all over again.
    EXECUTE format('CREATE TABLE %s (LIKE event_log.records_%s INCLUDING ALL, PRIMARY KEY (partition, "offset"))'
        ' WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off)', _table, _topic_id);
    EXECUTE format('ALTER TABLE event_log.records_%s ATTACH PARTITION %s FOR VALUES IN (%s)',
        _topic_id, _table, _segment);
END $$;

CREATE FUNCTION event_log.create_topic(_name text, _partition_count integer, _retention_ms bigint, _segment_ms bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    _topic_id integer;
BEGIN
    INSERT INTO event_log.topics (name, partition_count, retention_ms, segment_ms)
    VALUES (_name, _partition_count, _retention_ms, _segment_ms) RETURNING topic_id INTO _topic_id;
    INSERT INTO event_log.partitions SELECT _topic_id, partition FROM generate_series(0, _partition_count - 1) partition;
    EXECUTE format('CREATE TABLE event_log.records_%s (segment integer NOT NULL, partition integer NOT NULL,'
        ' "offset" bigint NOT NULL, append_time_ms bigint NOT NULL, size integer NOT NULL, headers bytea,'
        ' value bytea NOT NULL) PARTITION BY LIST (segment)', _topic_id);
    EXECUTE format('ALTER TABLE event_log.records_%s ALTER value SET STORAGE EXTERNAL', _topic_id);
    PERFORM event_log.open_segment(_topic_id, event_log.now_ms());
END $$;

-- Begin a new segment when the open one is old enough and holds anything. Alone: nobody appends meanwhile.
CREATE FUNCTION event_log.roll(_topic_id integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    _topic event_log.topics;
    _now_ms bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(2020175479, _topic_id);
    SELECT * INTO _topic FROM event_log.topics WHERE topic_id = _topic_id;
    _now_ms := event_log.now_ms();
    IF _now_ms < _topic.segment_start_ms + _topic.segment_ms THEN
        RETURN;
    END IF;
    IF EXISTS (
        SELECT FROM event_log.segments s JOIN event_log.partitions p USING (topic_id, partition)
        WHERE s.topic_id = _topic_id AND s.segment = _topic.segment AND p.next_offset > s.start_offset
    ) THEN
        PERFORM event_log.open_segment(_topic_id, _now_ms);
    ELSE
        UPDATE event_log.topics SET segment_start_ms = _now_ms WHERE topic_id = _topic_id;
        UPDATE event_log.segments SET start_ms = _now_ms WHERE topic_id = _topic_id AND segment = _topic.segment;
    END IF;
END $$;

-- Append records that are sorted by partition; returns the offset of each. Everybody locks partitions in this order, so
-- nobody waits in a circle.
CREATE FUNCTION event_log.append(_topic_id integer, _partitions integer[], _values bytea[], _headers bytea[])
RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    _topic event_log.topics;
    _part record;
    _end bigint;
    _offsets bigint[] := '{}';
BEGIN
    SELECT * INTO _topic FROM event_log.topics WHERE topic_id = _topic_id;
    IF event_log.now_ms() >= _topic.segment_start_ms + _topic.segment_ms THEN
        PERFORM event_log.roll(_topic_id);
    END IF;
    PERFORM pg_advisory_xact_lock_shared(2020175479, _topic_id);
    SELECT * INTO _topic FROM event_log.topics WHERE topic_id = _topic_id;
    FOR _part IN SELECT number, count(*) FROM unnest(_partitions) AS number GROUP BY number ORDER BY number LOOP
        UPDATE event_log.partitions SET next_offset = next_offset + _part.count
        WHERE topic_id = _topic_id AND partition = _part.number RETURNING next_offset INTO STRICT _end;
        _offsets := _offsets || ARRAY(SELECT generate_series(_end - _part.count, _end - 1));
    END LOOP;
    EXECUTE format('INSERT INTO event_log.records_%s_%s SELECT $1, partition, "offset", $2, length(value), headers, value'
        ' FROM unnest($3, $4, $5, $6) AS r(partition, "offset", headers, value)', _topic_id, _topic.segment)
    USING _topic.segment, event_log.now_ms(), _partitions, _offsets, _headers, _values;
    PERFORM pg_notify('event_log_' || _topic_id, '');
    RETURN _offsets;
END $$;

-- Drop what is older than its topic keeps. Returns how many segments.
CREATE FUNCTION event_log.drop_old() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    _old record;
    _count integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(2020175480);
    PERFORM event_log.roll(topic_id) FROM event_log.topics
    WHERE event_log.now_ms() >= segment_start_ms + segment_ms ORDER BY topic_id;
    FOR _old IN
        SELECT DISTINCT s.topic_id, s.segment FROM event_log.segments s JOIN event_log.topics t USING (topic_id)
        JOIN event_log.segments later ON later.topic_id = s.topic_id AND later.segment = s.segment + 1
        WHERE later.start_ms <= event_log.now_ms() - t.retention_ms
        ORDER BY 1, 2
    LOOP
        EXECUTE format('DROP TABLE event_log.records_%s_%s', _old.topic_id, _old.segment);
        DELETE FROM event_log.segments WHERE topic_id = _old.topic_id AND segment = _old.segment;
        _count := _count + 1;
    END LOOP;
    RETURN _count;
END $$;

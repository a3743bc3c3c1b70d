-- The event log. Records of a topic lie in segments, one table each, that retention drops whole. Whoever appends to a
-- partition holds its lock until the commit is visible and goes on from the last record there: offsets have no gaps
-- and appear in order, and no row is updated a hundred times a second, which a long backup would turn into bloat.
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

-- The offset that the next record will get.
CREATE FUNCTION event_log.next_offset(_topic_id integer, _partition integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    _segment integer;
    _start_offset bigint;
    _last_offset bigint;
BEGIN
    SELECT segment, start_offset INTO _segment, _start_offset FROM event_log.segments
    WHERE topic_id = _topic_id AND partition = _partition ORDER BY segment DESC LIMIT 1;
    EXECUTE format('SELECT "offset" FROM event_log.records_%s_%s WHERE partition = $1 ORDER BY "offset" DESC LIMIT 1',
        _topic_id, _segment) INTO _last_offset USING _partition;
    RETURN coalesce(_last_offset + 1, _start_offset);
END $$;

CREATE FUNCTION event_log.open_segment(_topic_id integer, _now_ms bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    _segment integer;
    _table text;
BEGIN
    UPDATE event_log.topics SET segment = segment + 1, segment_start_ms = _now_ms
    WHERE topic_id = _topic_id RETURNING segment INTO _segment;
    INSERT INTO event_log.segments
    SELECT topic_id, _segment, number, CASE _segment WHEN 1 THEN 0 ELSE event_log.next_offset(topic_id, number) END,
        _now_ms
    FROM event_log.topics, generate_series(0, partition_count - 1) AS number WHERE topic_id = _topic_id;
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
        SELECT FROM event_log.segments WHERE topic_id = _topic_id AND segment = _topic.segment
        AND event_log.next_offset(topic_id, partition) > start_offset
    ) THEN
        PERFORM event_log.open_segment(_topic_id, _now_ms);
    ELSE
        UPDATE event_log.topics SET segment_start_ms = _now_ms WHERE topic_id = _topic_id;
    END IF;
END $$;

-- Append records that are sorted by partition; returns the offset of each. Everybody locks partitions in this order, so
-- nobody waits in a circle. Each statement sees what was committed before the locks were had.
CREATE FUNCTION event_log.append(_topic_id integer, _partitions integer[], _values bytea[], _headers bytea[])
RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    _topic event_log.topics;
    _offsets bigint[];
BEGIN
    SELECT * INTO _topic FROM event_log.topics WHERE topic_id = _topic_id;
    IF event_log.now_ms() >= _topic.segment_start_ms + _topic.segment_ms THEN
        PERFORM event_log.roll(_topic_id);
    END IF;
    PERFORM pg_advisory_xact_lock_shared(2020175479, _topic_id);
    PERFORM pg_advisory_xact_lock((_topic_id::bigint << 32) + number)
    FROM (SELECT DISTINCT number FROM unnest(_partitions) AS number ORDER BY number) AS numbers;
    SELECT * INTO _topic FROM event_log.topics WHERE topic_id = _topic_id;
    EXECUTE format('WITH starts AS (SELECT number, coalesce('
        '(SELECT "offset" + 1 FROM event_log.records_%1$s_%2$s WHERE partition = number ORDER BY "offset" DESC LIMIT 1),'
        '(SELECT start_offset FROM event_log.segments WHERE topic_id = %1$s AND segment = %2$s AND partition = number)'
        ') AS start FROM (SELECT DISTINCT number FROM unnest($1) AS number) AS numbers),'
        ' added AS (INSERT INTO event_log.records_%1$s_%2$s (segment, partition, "offset", append_time_ms, size, headers,'
        ' value) SELECT %2$s, number, start + row_number() OVER (PARTITION BY number ORDER BY place) - 1, $2,'
        ' length(value), headers, value FROM unnest($1, $3, $4) WITH ORDINALITY AS new(number, headers, value, place)'
        ' JOIN starts USING (number) RETURNING partition, "offset")'
        ' SELECT array_agg("offset" ORDER BY partition, "offset") FROM added', _topic_id, _topic.segment)
    INTO _offsets USING _partitions, event_log.now_ms(), _headers, _values;
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

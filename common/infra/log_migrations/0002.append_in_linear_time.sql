-- As before, but where each partition goes on is found once: inlined, it was found anew for each record, so that a call
-- cost the square of its records.
CREATE OR REPLACE FUNCTION event_log.append(
    _topic_id integer, _partitions integer[], _values bytea[], _headers bytea[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
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
    EXECUTE format('WITH starts AS MATERIALIZED (SELECT number, coalesce('
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

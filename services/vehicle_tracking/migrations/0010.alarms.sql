-- The engine writes everything but the last five columns; those belong to people, and only `version` of them is edited
-- against, so that an alarm that clears does not make an acknowledgement stale.
CREATE TABLE alarms (
    alarm_id text PRIMARY KEY,
    rule text NOT NULL,
    vehicle_id bigint NOT NULL,
    fence_id bigint NOT NULL,
    subject integer NOT NULL,
    level integer NOT NULL,
    raise_time timestamptz NOT NULL,
    clear_time timestamptz,
    evidence jsonb NOT NULL,
    late boolean NOT NULL,
    measured_value double precision NOT NULL,
    limit_value double precision NOT NULL,
    create_time timestamptz NOT NULL,
    state integer NOT NULL DEFAULT 1,
    acknowledged_by text NOT NULL DEFAULT '',
    acknowledge_time timestamptz,
    remark text NOT NULL DEFAULT '',
    version bigint NOT NULL DEFAULT 1
);
CREATE INDEX alarms_raise_time ON alarms (raise_time DESC, alarm_id DESC);
CREATE INDEX alarms_vehicle_id ON alarms (vehicle_id, raise_time DESC, alarm_id DESC);
CREATE INDEX alarms_open ON alarms (raise_time DESC, alarm_id DESC) WHERE state = 1;

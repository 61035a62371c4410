-- @all
CREATE SCHEMA IF NOT EXISTS fleet;

-- Text ids of the wire and of GTFS live here once; everything else holds the number.
CREATE TABLE fleet.name (
    name_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text NOT NULL UNIQUE
);

CREATE TABLE fleet.vehicle_last (
    vehicle_id int PRIMARY KEY REFERENCES fleet.name,
    ts         timestamptz NOT NULL,
    lat_e6     int,
    lon_e6     int,
    speed_cmps smallint,
    heading_dd smallint,
    route_id   int
) WITH (fillfactor = 50);

CREATE TABLE fleet.vehicle_status (
    vehicle_id  int PRIMARY KEY REFERENCES fleet.name,
    received_at timestamptz NOT NULL,
    online      boolean NOT NULL
);

CREATE TABLE fleet.telemetry_reject (
    reject_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL,
    reason      text NOT NULL,
    detail      text NOT NULL,
    topic       text NOT NULL,
    vehicle     text,
    payload     bytea NOT NULL
);
CREATE INDEX telemetry_reject_received ON fleet.telemetry_reject USING brin (received_at);

-- Every event that has no table of its own.
CREATE TABLE fleet.event_log (
    event_id uuid PRIMARY KEY,
    ts       timestamptz NOT NULL,
    kind     text NOT NULL,
    vehicle  text,
    body     jsonb NOT NULL
);
CREATE INDEX event_log_ts ON fleet.event_log USING brin (ts);

CREATE TABLE fleet.sensor (
    vehicle_id  int NOT NULL,
    ts          timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    body        jsonb NOT NULL,
    PRIMARY KEY (vehicle_id, ts)
);

-- @plain
CREATE TABLE fleet.telemetry (
    vehicle_id int NOT NULL,
    ts         timestamptz NOT NULL,   -- vehicle clock
    kind       smallint NOT NULL,      -- ReportKind
    lag_ms     int NOT NULL,           -- received - ts
    duty       smallint NOT NULL,
    flags      smallint NOT NULL,      -- 1 upcoming, 2 end of line, 4 doors known, 8 doors open
    located    smallint NOT NULL,      -- LocationSource
    mode       int NOT NULL,
    lat_e6     int,
    lon_e6     int,
    speed_cmps smallint,
    heading_dd smallint,               -- 0.1 degrees
    accel_cmps2 smallint,
    odometer_dm int,
    route_id   int,
    direction  smallint,
    service_date date,
    start_min  smallint,               -- minute of the local clock at the first stop
    stop_id    int,
    next_stop_id int,
    headsign   int,
    label      int,
    company    int,
    deviation_s int,
    occupancy_pct smallint,
    scheduled_arrival_s int,           -- after ts
    scheduled_departure_s int,
    extra      jsonb,
    PRIMARY KEY (vehicle_id, ts, kind)
) PARTITION BY RANGE (ts);
CREATE INDEX telemetry_ts ON fleet.telemetry USING brin (ts);

-- @ts
CREATE TABLE fleet.telemetry (
    vehicle_id int NOT NULL,
    ts         timestamptz NOT NULL,
    kind       smallint NOT NULL,
    lag_ms     int NOT NULL,
    duty       smallint NOT NULL,
    flags      smallint NOT NULL,
    located    smallint NOT NULL,
    mode       int NOT NULL,
    lat_e6     int,
    lon_e6     int,
    speed_cmps smallint,
    heading_dd smallint,
    accel_cmps2 smallint,
    odometer_dm int,
    route_id   int,
    direction  smallint,
    service_date date,
    start_min  smallint,
    stop_id    int,
    next_stop_id int,
    headsign   int,
    label      int,
    company    int,
    deviation_s int,
    occupancy_pct smallint,
    scheduled_arrival_s int,
    scheduled_departure_s int,
    extra      jsonb,
    PRIMARY KEY (vehicle_id, ts, kind)
);
CREATE INDEX telemetry_ts ON fleet.telemetry USING brin (ts);
SELECT create_hypertable('fleet.telemetry', by_range('ts', INTERVAL '1 day'), create_default_indexes => false);

-- @all
CREATE TABLE fleet.stop_event (
    event_id       uuid NOT NULL,
    departure_time timestamptz NOT NULL,
    arrival_time   timestamptz NOT NULL,
    vehicle_id     int NOT NULL,
    route_id       int NOT NULL,
    direction      smallint NOT NULL,
    stop_id        int NOT NULL,
    stop_sequence  smallint,
    pattern_id     int,
    trip_id        int,
    service_date   date,
    served         boolean,            -- null: a sparse feed cannot tell
    source         text NOT NULL,
    scheduled_arrival_time   timestamptz,
    scheduled_departure_time timestamptz,
    deviation_s    real,               -- + is late
    PRIMARY KEY (event_id, departure_time)
);
CREATE INDEX stop_event_departure ON fleet.stop_event USING brin (departure_time);

CREATE TABLE fleet.headway_obs (
    event_id    uuid NOT NULL,
    ts          timestamptz NOT NULL,  -- departure of the follower
    route_id    int NOT NULL,
    direction   smallint NOT NULL,
    stop_id     int NOT NULL,
    vehicle_id  int NOT NULL,
    leader_id   int NOT NULL,
    headway_s   real NOT NULL,
    target_headway_s real,
    PRIMARY KEY (event_id, ts)
);
CREATE INDEX headway_obs_route ON fleet.headway_obs (route_id, ts);

-- @ts
SELECT create_hypertable('fleet.stop_event', by_range('departure_time', INTERVAL '7 days'), create_default_indexes => false);
SELECT create_hypertable('fleet.headway_obs', by_range('ts', INTERVAL '7 days'), create_default_indexes => false);

-- @all
CREATE VIEW fleet.telemetry_v AS
SELECT v.name AS vehicle, t.ts, t.ts + t.lag_ms * INTERVAL '1 ms' AS received_at, t.kind,
       t.lat_e6 / 1e6::float8 AS lat, t.lon_e6 / 1e6::float8 AS lon,
       t.speed_cmps / 100.0::float8 AS speed_mps, t.heading_dd / 10.0::float8 AS heading_deg,
       r.name AS route, t.direction, t.deviation_s
FROM fleet.telemetry t
JOIN fleet.name v ON v.name_id = t.vehicle_id
LEFT JOIN fleet.name r ON r.name_id = t.route_id;

-- @plain
-- Partitions appear with their first row, so a replay of an old day is stored like any other.
CREATE FUNCTION fleet.open_day(day date) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS fleet.%I PARTITION OF fleet.telemetry FOR VALUES FROM (%L) TO (%L)',
        'telemetry_' || to_char(day, 'YYYYMMDD'),
        day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
END $$;

CREATE FUNCTION fleet.drop_telemetry_before(day date) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    part text;
    dropped int := 0;
BEGIN
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'fleet.telemetry'::regclass AND c.relname < 'telemetry_' || to_char(day, 'YYYYMMDD')
    LOOP
        EXECUTE format('DROP TABLE fleet.%I', part);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;

CREATE VIEW fleet.route_headway_5m AS
SELECT date_bin(INTERVAL '5 minutes', ts, TIMESTAMPTZ '2000-01-01') AS bucket, route_id, direction,
       count(*) AS departures, avg(headway_s) AS headway_s_mean, stddev_samp(headway_s) AS headway_s_sd,
       avg(target_headway_s) AS target_headway_s_mean
FROM fleet.headway_obs GROUP BY 1, 2, 3;

-- @ts
CREATE FUNCTION fleet.open_day(day date) RETURNS void LANGUAGE sql AS $$ SELECT $$;

CREATE FUNCTION fleet.drop_telemetry_before(day date) RETURNS int LANGUAGE sql AS $$
    SELECT count(*)::int FROM drop_chunks('fleet.telemetry', day::timestamptz)
$$;

-- @noncommunity
CREATE VIEW fleet.route_headway_5m AS
SELECT time_bucket(INTERVAL '5 minutes', ts) AS bucket, route_id, direction,
       count(*) AS departures, avg(headway_s) AS headway_s_mean, stddev_samp(headway_s) AS headway_s_sd,
       avg(target_headway_s) AS target_headway_s_mean
FROM fleet.headway_obs GROUP BY 1, 2, 3;

-- @community
ALTER TABLE fleet.telemetry SET (
    timescaledb.compress, timescaledb.compress_segmentby = 'vehicle_id', timescaledb.compress_orderby = 'ts');
SELECT add_compression_policy('fleet.telemetry', INTERVAL '2 days');
SELECT add_retention_policy('fleet.telemetry', INTERVAL '400 days');
ALTER TABLE fleet.stop_event SET (
    timescaledb.compress, timescaledb.compress_segmentby = 'route_id', timescaledb.compress_orderby = 'stop_id, departure_time');
SELECT add_compression_policy('fleet.stop_event', INTERVAL '14 days');
ALTER TABLE fleet.headway_obs SET (
    timescaledb.compress, timescaledb.compress_segmentby = 'route_id', timescaledb.compress_orderby = 'stop_id, ts');
SELECT add_compression_policy('fleet.headway_obs', INTERVAL '14 days');
CREATE MATERIALIZED VIEW fleet.route_headway_5m
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT time_bucket(INTERVAL '5 minutes', ts) AS bucket, route_id, direction,
       count(*) AS departures, avg(headway_s) AS headway_s_mean, stddev_samp(headway_s) AS headway_s_sd,
       avg(target_headway_s) AS target_headway_s_mean
FROM fleet.headway_obs GROUP BY 1, 2, 3
WITH NO DATA;
SELECT add_continuous_aggregate_policy('fleet.route_headway_5m',
    start_offset => INTERVAL '2 hours', end_offset => INTERVAL '5 minutes', schedule_interval => INTERVAL '5 minutes');

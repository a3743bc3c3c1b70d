// The gateway's JSON, as services/gateway/README.md says it.

export type Role = "operator" | "admin" | "auditor";
export type Language = "zh" | "en";
export type Level = "low" | "medium" | "high";
export type Kind = "coach" | "tour_coach" | "charter" | "hazmat" | "bus" | "taxi" | "freight" | "other";
export type Trigger = "enter" | "exit" | "cross";
export type Datum = "WGS84" | "GCJ02" | "BD09";
export type Point = [longitude: number, latitude: number];

/** In the order of their numbers in columns, from 1. */
export const KINDS: readonly Kind[] = ["coach", "tour_coach", "charter", "hazmat", "bus", "taxi", "freight", "other"];
export const LEVELS: readonly Level[] = ["low", "medium", "high"];
export const TRIGGERS: readonly Trigger[] = ["enter", "exit", "cross"];

export interface Me {
  name: string;
  role: Role;
  language: Language;
  password_temporary: boolean;
}

export interface Account {
  account_id: number;
  name: string;
  role: Role;
  language: Language;
  enabled: boolean;
  password_temporary: boolean;
  create_time_ms: number;
  sign_in_time_ms: number | null;
  etag: string;
}

export interface LatestPosition {
  fix_time_ms: number;
  longitude: number;
  latitude: number;
  speed_kmh: number;
  heading_deg: number;
  altitude_m: number;
  alarm_word: number;
  status_word: number;
  odometer_km: number | null;
}

export interface Vehicle {
  vehicle_id: number;
  plate: string;
  plate_colour: number;
  kind: Kind;
  enterprise_id: number;
  region_code: string;
  speed_kmh_max: number;
  vin: string;
  online: boolean;
  latest_position: LatestPosition | null;
}

export interface Track {
  vehicle_id: number;
  fix_times_ms: number[];
  longitudes_e7: number[];
  latitudes_e7: number[];
  speeds_01kmh: number[];
  headings_deg: number[];
  alarm_words: number[];
  status_words: number[];
  quality_flags: number[];
  next_page_token: string;
}

export interface Region {
  region_code: string;
  name: string;
  english_name: string;
  plate_prefix: string;
}

export interface Enterprise {
  enterprise_id: number;
  name: string;
  credit_code: string;
  region_code: string;
}

export interface Evidence {
  fix_time_ms: number;
  longitude: number;
  latitude: number;
  speed_kmh: number;
}

export interface Alarm {
  alarm_id: string;
  rule: string;
  vehicle_id: number;
  plate: string;
  fence_id: number;
  level: Level;
  raise_time_ms: number;
  clear_time_ms: number | null;
  late: boolean;
  measured_value: number;
  limit_value: number;
  state: "open" | "acknowledged";
  acknowledged_by: string;
  acknowledge_time_ms: number | null;
  remark: string;
  etag: string;
  create_time_ms: number;
  evidence: Evidence[];
}

export interface PolygonShape {
  type: "polygon";
  rings: Point[][];
}
export interface CircleShape {
  type: "circle";
  centre: Point;
  radius_m: number;
}
export interface CorridorShape {
  type: "corridor";
  line: Point[];
  width_m: number;
}
export type Shape = PolygonShape | CircleShape | CorridorShape;

export interface TimeWindow {
  weekdays: number[];
  start_minute: number;
  end_minute: number;
}

export interface Fence {
  fence_id: number;
  name: string;
  shape: Shape;
  vehicle_kinds: Kind[];
  triggers: Trigger[];
  level: Level;
  speed_kmh_max: number;
  dwell_s: number;
  hysteresis_m: number;
  time_windows: TimeWindow[];
  source_datum: Datum;
  enabled: boolean;
  etag: string;
  update_time_ms: number;
}

export interface MapConfig {
  kind: "none" | "xyz" | "wmts";
  urls: string[];
  datum: Datum;
  attribution: string;
  zoom_max: number;
}

export interface VehicleRows {
  type: "vehicles";
  vehicle_ids: number[];
  plates: string[];
  plate_colours: number[];
  kinds: number[];
  enterprise_ids: number[];
  region_codes: string[];
}

export interface AlarmNews {
  type: "alarms";
  snapshot: boolean;
  alarms: Alarm[];
  alarm_number: number;
}

/** Whether what is seen is up to date: the gateway may have lost the service behind it. */
export interface SourceNews {
  type: "source";
  live: boolean;
}

export interface View {
  bounding_box: [number, number, number, number] | null;
  kinds: Kind[];
  region_codes: string[];
  enterprise_ids: number[];
}

// What the console reads of the API's answers. Members that a version of sekishod may leave out are optional.

export interface Who {
  uid?: number;
  name: string;
  from?: string;
}

export interface Person {
  name: string;
  roles: string[];
  permissions: string[];
  language?: string;
  vendor?: string;
}
export interface Session {
  person: Person;
  csrf?: string;
}

export interface Host {
  address: string;
  name?: string;
  ward?: string;
  phone?: string;
  protected?: boolean;
}

export interface LinkState {
  link: string;
  zones: [string, string];
  cut: boolean; // partly or fully
  state?: 'open' | 'partial' | 'cut'; // partial: cut, but protected hosts pass
  clinical: boolean;
  mode: string;
  fail: string;
  ips: string;
  by?: string;
  reason?: string;
  receipt?: string;
  since_wall_ns?: number;
  packets?: number;
  bytes?: number;
  flows_live?: number;
  flows_started?: number;
  last_packet_age_ms?: number | null;
}

// A vendor access that is open now.
export interface OpenAccess {
  name: string;
  description?: string;
  link?: string;
  ticket?: string;
  left_s?: number;
}

export interface Dataplane {
  state: string;
  connected: boolean;
  workers?: number;
  uptime_s?: number;
  packets_received?: number;
  packets_sent?: number;
  packets_dropped?: number;
  bytes_sent?: number;
  flows_live?: number;
  flow_capacity?: number;
  events_lost?: number;
  ports?: { port: string; link_up: boolean; rx_packets: number; tx_packets: number; rx_missed?: number }[];
}

export interface Quarantined {
  host: string;
  until_wall_ns: number;
}

// One `state` event of GET /v1/live.
export interface Overview {
  site: string;
  version: number;
  zones: { name: string; kind?: string }[];
  links: LinkState[];
  quarantine: Quarantined[];
  accesses: OpenAccess[];
  dataplane: Dataplane;
  alarms: string[];
  reopen_people: number;
  pending?: { version: number; deadline_wall_s: number };
  // What waits for an approval, and what of it this person may approve.
  reopenings: number;
  tickets_waiting: number;
  yours: { reopenings: number; tickets: number };
  wall_ns?: number;
}

export interface ImpactRow {
  text?: { en: string; ja: string };
  link: string;
  from: string;
  to: string;
  source: Host;
  destination: Host;
  service: string;
  flows: number;
  bytes: number;
  protected: boolean;
}
export interface Impact {
  links: { link: string; clinical: boolean }[];
  flows: number;
  bytes: number;
  protected_flows: number;
  partial?: boolean; // of a partial cut: what stays is apart
  stays?: ImpactRow[];
  stay_flows?: number;
  stay_bytes?: number;
  groups: number;
  would_end: ImpactRow[];
  dataplane?: string;
}

export interface Receipt {
  id: string;
  command: string;
  outcome: string;
  refusal?: string;
  reason?: string;
  subject?: string;
  command_wall_ns: number;
  command_ns: number;
  stored_ns: number;
  confirmed_ns: number;
  until_wall_ns?: number;
  links: { name: string; changed: boolean; last_packet_ns: number; flows_ended: number; flows_kept?: number }[];
  workers: { worker: number; obeyed: boolean; drained: boolean; asleep: boolean; obeyed_ns: number; drained_ns: number }[];
  cables?: string[];
  latched: boolean;
  latch_error?: string;
  nothing_changed?: boolean;
  store_error?: string;
  reset?: boolean;
  partial?: boolean;
  audit_sequence?: number;
  audit_error?: string;
  notes?: string[];
  who?: Who;
  text?: { en: string; ja: string };
}

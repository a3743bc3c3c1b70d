// Which vehicles the list shows, in the order of their plates; alarmed ones first.

import { STATE_MOVING, STATE_OFFLINE, STATE_STOPPED, type FleetTable } from "./table";

export interface Counts {
  all: number;
  moving: number;
  stopped: number;
  offline: number;
  alarmed: number;
}

/** How many vehicles are in each state, whatever the filter keeps. */
export function counts(table: FleetTable): Counts {
  const found = { all: 0, moving: 0, stopped: 0, offline: 0, alarmed: 0 };
  for (let slot = 0; slot < table.count; slot++) {
    const state = table.states[slot];
    if (!state) continue;
    found.all++;
    if (state === STATE_MOVING) found.moving++;
    else if (state === STATE_STOPPED) found.stopped++;
    else if (state === STATE_OFFLINE) found.offline++;
    if (table.alarmLevels[slot]) found.alarmed++;
  }
  return found;
}

/** Keeps the order of all plates and sorts again only when rows of the register came. */
export class PlateOrder {
  private order = new Uint32Array(0);
  private version = -1;

  constructor(private readonly table: FleetTable) {}

  /** Slots that the filter keeps: alarmed ones by level, then the rest, each in the order of plates. */
  shown(): number[] {
    if (this.version !== this.table.rowsVersion) this.sort();
    const byLevel: number[][] = [[], [], [], []];
    for (const slot of this.order) if (this.table.shown[slot]) byLevel[this.table.alarmLevels[slot]!]!.push(slot);
    return [...byLevel[3]!, ...byLevel[2]!, ...byLevel[1]!, ...byLevel[0]!];
  }

  private sort(): void {
    const { plates, count } = this.table;
    const order = Uint32Array.from({ length: count }, (_, slot) => slot);
    this.order = order.sort((a, b) => (plates[a]! < plates[b]! ? -1 : plates[a]! > plates[b]! ? 1 : a - b));
    this.version = this.table.rowsVersion;
  }
}

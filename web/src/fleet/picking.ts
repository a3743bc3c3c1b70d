// Which vehicle is under a point: a grid over the columns, made anew only when somebody points.

import type { FleetTable } from "./table";

const CELLS = 256;

export interface Box {
  west: number;
  south: number;
  east: number;
  north: number;
}

/** The slot of the shown vehicle nearest to a point (relative to the anchor) and within `reach`; -1 when there is none. */
export class Picker {
  private starts = new Uint32Array(CELLS * CELLS + 1);
  private slots = new Uint32Array(0);
  private x = new Float32Array(0);
  private y = new Float32Array(0);
  private builtS = -1;
  private box: Box = { west: 0, south: 0, east: 0, north: 0 };

  constructor(private readonly table: FleetTable) {}

  find(x: number, y: number, reach: number, nowS: number): number {
    if (nowS - this.builtS > 0.2 || nowS < this.builtS) this.build(nowS);
    let best = -1;
    let least = reach * reach;
    const [firstColumn, lastColumn] = [this.column(x - reach), this.column(x + reach)];
    const [firstRow, lastRow] = [this.row(y - reach), this.row(y + reach)];
    for (let row = firstRow; row <= lastRow; row++) {
      for (let i = this.starts[row * CELLS + firstColumn]!; i < this.starts[row * CELLS + lastColumn + 1]!; i++) {
        const slot = this.slots[i]!;
        const distance = (this.x[slot]! - x) ** 2 + (this.y[slot]! - y) ** 2;
        if (distance < least) [best, least] = [slot, distance];
      }
    }
    return best;
  }

  private build(nowS: number): void {
    const { table } = this;
    if (this.x.length < table.count) [this.x, this.y] = [new Float32Array(table.ids.length), new Float32Array(table.ids.length)];
    const box = { west: Infinity, south: Infinity, east: -Infinity, north: -Infinity };
    let count = 0;
    for (let slot = 0; slot < table.count; slot++) {
      if (!table.shown[slot]) continue;
      const [x, y] = table.glyphAt(slot, nowS);
      [this.x[slot], this.y[slot]] = [x, y];
      box.west = Math.min(box.west, x);
      box.east = Math.max(box.east, x);
      box.south = Math.min(box.south, y);
      box.north = Math.max(box.north, y);
      count++;
    }
    this.box = count ? box : { west: 0, south: 0, east: 1, north: 1 };
    this.sort(count);
    this.builtS = nowS;
  }

  private sort(count: number): void {
    const { table, starts } = this;
    if (this.slots.length < count) this.slots = new Uint32Array(table.ids.length);
    starts.fill(0);
    for (let slot = 0; slot < table.count; slot++) if (table.shown[slot]) starts[this.cell(slot) + 1]!++;
    for (let i = 1; i < starts.length; i++) starts[i]! += starts[i - 1]!;
    const next = starts.slice();
    for (let slot = 0; slot < table.count; slot++) {
      if (table.shown[slot]) this.slots[next[this.cell(slot)]!++] = slot;
    }
  }

  private cell(slot: number): number {
    return this.row(this.y[slot]!) * CELLS + this.column(this.x[slot]!);
  }

  private column(x: number): number {
    return within(((x - this.box.west) / (this.box.east - this.box.west || 1)) * CELLS);
  }

  private row(y: number): number {
    return within(((y - this.box.south) / (this.box.north - this.box.south || 1)) * CELLS);
  }
}

function within(cell: number): number {
  return Math.min(CELLS - 1, Math.max(0, cell | 0));
}

// Plate colours of JT/T 697.7 and how they look.

interface PlateColours {
  fill: string;
  ink: string;
}

const BLUE = { fill: "#0b4fc2", ink: "#ffffff" };
const YELLOW = { fill: "#f5c518", ink: "#14181d" };
const GREEN = { fill: "#bfe8c4", ink: "#0b3d1d" };
const LOOKS: Record<number, PlateColours> = {
  1: BLUE,
  2: YELLOW,
  3: { fill: "#14181d", ink: "#ffffff" },
  4: { fill: "#ffffff", ink: "#14181d" },
  5: GREEN,
  91: { fill: "#d7e8a8", ink: "#26350b" },
  92: { fill: "#0b6b4c", ink: "#ffffff" },
  93: { fill: "#e3e56b", ink: "#1c3410" },
  94: GREEN,
};

/** Fill and ink of a plate of that colour code. */
export function plateColours(code: number): PlateColours {
  return LOOKS[code] ?? { fill: "#e6eaee", ink: "#26323f" };
}

/** `湘A·D12345`, as plates are written; the dot stands after the office's letter. */
export function plateText(plate: string): string {
  return plate.length > 5 ? `${plate.slice(0, 2)}·${plate.slice(2)}` : plate;
}

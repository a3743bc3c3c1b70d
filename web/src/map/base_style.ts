// The base map: schematic shapes that ship with the console, or tiles when a source is set. Nothing comes from outside.

import type { FeatureCollection } from "geojson";
import type { ExpressionSpecification, LayerSpecification, StyleSpecification } from "maplibre-gl";

import type { Language, MapConfig } from "../api/types";

export type Shapes = Record<"prefectures" | "province" | "rivers" | "lakes" | "roads" | "places" | "neighbours", FeatureCollection>;

const FONT = ["Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", "sans-serif"];
export const LOCAL_FONTS = FONT.map((name) => (name.includes(" ") ? `"${name}"` : name)).join(", ");
const PREFECTURE_FILLS = ["#fbfaf6", "#f5f6ee", "#f8f4ee", "#f3f6f5"];

/** The style of the whole map under the vehicles. */
export function baseStyle(shapes: Shapes, config: MapConfig, language: Language): StyleSpecification {
  const tiled = config.kind !== "none" && config.urls.length > 0;
  const sources: StyleSpecification["sources"] = Object.fromEntries(
    Object.entries(shapes).map(([name, data]) => [name, { type: "geojson", data, tolerance: 0.2 }]),
  );
  if (tiled) sources.tiles = rasterSource(config);
  const tiles: LayerSpecification[] = tiled
    ? [{ id: "tiles", type: "raster", source: "tiles", paint: { "raster-saturation": -0.25 } }]
    : [];
  return {
    version: 8,
    sources,
    layers: [
      { id: "background", type: "background", paint: { "background-color": "#dfe5ea" } },
      ...(tiled ? tiles : [...areas(), ...roads()]),
      ...labels(language, tiled),
    ],
  };
}

function rasterSource(config: MapConfig): StyleSpecification["sources"][string] {
  return {
    type: "raster",
    tiles: config.urls,
    tileSize: 256,
    maxzoom: config.zoom_max || 18,
    attribution: config.attribution,
  };
}

function areas(): LayerSpecification[] {
  const class4: ExpressionSpecification = ["%", ["/", ["to-number", ["get", "code"]], 100], 4];
  const [first, second, third, fourth] = PREFECTURE_FILLS as [string, string, string, string];
  return [
    {
      id: "prefecture-fill",
      type: "fill",
      source: "prefectures",
      paint: { "fill-color": ["match", class4, 0, first, 1, second, 2, third, fourth] },
    },
    { id: "lake", type: "fill", source: "lakes", paint: { "fill-color": "#c3dcec" } },
    {
      id: "river",
      type: "line",
      source: "rivers",
      layout: { "line-cap": "round", "line-join": "round" },
      paint: { "line-color": "#c3dcec", "line-width": ["interpolate", ["exponential", 1.4], ["zoom"], 6, 1.6, 10, 5, 14, 16] },
    },
    {
      id: "prefecture-line",
      type: "line",
      source: "prefectures",
      paint: { "line-color": "#a9b3bf", "line-width": 1, "line-dasharray": [4, 2, 1, 2] },
    },
    {
      id: "province-glow",
      type: "line",
      source: "province",
      paint: { "line-color": "#8fa0b3", "line-width": 7, "line-opacity": 0.22, "line-blur": 3 },
    },
    { id: "province-line", type: "line", source: "province", paint: { "line-color": "#74859a", "line-width": 1.6 } },
  ];
}

function roads(): LayerSpecification[] {
  const width = (factor: number): ExpressionSpecification =>
    ["interpolate", ["exponential", 1.5], ["zoom"], 6, 1.4 * factor, 9, 3 * factor, 13, 8 * factor];
  const layout = { "line-cap": "round", "line-join": "round" } as const;
  return [
    { id: "road-casing", type: "line", source: "roads", layout, paint: { "line-color": "#dca24a", "line-width": width(1.35) } },
    { id: "road", type: "line", source: "roads", layout, paint: { "line-color": "#ffdf9e", "line-width": width(0.85) } },
  ];
}

function labels(language: Language, tiled: boolean): LayerSpecification[] {
  if (tiled) return [];
  const english: ExpressionSpecification = ["get", "english_name"];
  const chinese: ExpressionSpecification = ["get", "name"];
  const name: ExpressionSpecification = language === "zh" ? chinese : ["case", ["==", english, ""], chinese, english];
  const halo = { "text-halo-color": "rgba(255,255,255,0.92)", "text-halo-width": 1.6 };
  return [
    {
      id: "road-shield",
      type: "symbol",
      source: "roads",
      minzoom: 6.6,
      filter: ["!=", ["get", "number"], ""],
      layout: {
        "symbol-placement": "line-center",
        "text-field": ["get", "number"],
        "text-font": FONT,
        "text-size": 10.5,
        "text-rotation-alignment": "viewport",
        "icon-rotation-alignment": "viewport",
        "icon-image": ["case", ["==", ["slice", ["get", "number"], 0, 1], "G"], "shield-g", "shield-s"],
        "icon-text-fit": "both",
        "icon-text-fit-padding": [2, 4, 1, 4],
      },
      paint: { "text-color": "#ffffff" },
    },
    {
      id: "county-label",
      type: "symbol",
      source: "places",
      minzoom: 8,
      filter: ["==", ["get", "rank"], 2],
      layout: { "text-field": name, "text-font": FONT, "text-size": 12, "text-padding": 6, "text-anchor": "bottom", "text-offset": [0, -0.7] },
      paint: { "text-color": "#56626f", ...halo },
    },
    {
      id: "city-label",
      type: "symbol",
      source: "places",
      filter: ["==", ["get", "rank"], 1],
      layout: {
        "text-field": name,
        "text-font": FONT,
        "text-size": ["interpolate", ["linear"], ["zoom"], 6, 13, 10, 19],
        "text-letter-spacing": 0.06,
        "text-padding": 4,
        "text-anchor": "bottom",
        "text-offset": [0, -0.75],
      },
      paint: { "text-color": "#26323f", ...halo },
    },
    {
      id: "neighbour-label",
      type: "symbol",
      source: "neighbours",
      maxzoom: 9,
      layout: { "text-field": name, "text-font": FONT, "text-size": 15, "text-letter-spacing": 0.4 },
      paint: { "text-color": "#8494a5" },
    },
  ];
}

/** The small plates behind road numbers, stretched to the text: green for national, brown for provincial expressways. */
export function shieldImage(colour: string): ImageData {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [24, 24];
  const pen = canvas.getContext("2d")!;
  pen.fillStyle = "#ffffff";
  pen.beginPath();
  pen.roundRect(0, 0, 24, 24, 6);
  pen.fill();
  pen.fillStyle = colour;
  pen.beginPath();
  pen.roundRect(1.5, 1.5, 21, 21, 5);
  pen.fill();
  return pen.getImageData(0, 0, 24, 24);
}

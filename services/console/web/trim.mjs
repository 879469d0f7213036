// Takes out of uPlot what this page never calls: bars and steps, clocks and logarithms on the axes,
// the legend, selecting and zooming. esbuild cannot see that, and it is a fifth of the bundle. npm
// runs this after installing; without it the bundle is over its budget.

import { readFileSync, writeFileSync } from "node:fs";

const VERSION = "1.6.32";
const FILE = new URL("node_modules/uplot/dist/uPlot.esm.js", import.meta.url);
const DONE = "/* trimmed */";

/** UNUSED are functions and what is left of their bodies. */
const UNUSED = {
  "": [
    "autoPadSide", "tzDate", "setAlpha", "rangeLog", "rangeAsinh", "join", "fmtDate", "timeAxisVals", "timeAxisVal", "timeSeriesStamp", "timeSeriesVal",
    "logAxisSplits", "asinhAxisSplits", "log10AxisValsFilt", "log2AxisValsFilt", "stepped", "bars", "findColWidth", "linear", "points",
    "clipBandLine", "initLegendRow", "setLegend", "setLegendValues", "syncLegend", "mouseDown", "mouseUp", "dblClick",
    "_rangeNum", "numAxisVals", "numAxisSplits", "snapNumX", "snapNumY", "snapLogY", "setSelect", "setSelH", "setSelV", "hideSelect",
    "seriesPointsShow", "numSeriesVal", "addSeries", "delSeries", "addBand", "delBand", "setBand", "setFocus", "toggleDOM", "setSeries", "legendStroke", "legendFill",
  ],
  "return [[], [], noop];": ["genTimeStuffs"],
  "return [];": ["timeAxisStamps"],
  "return [0, 0];": ["bandFillClipDirs"],
  "return [_min, _max];": ["rangeNum"],
  "return (axes[axisIdx]._found = fullDim > 0 ? [1, 1] : [0, 0]);": ["getIncrSpace"],
};

/** NEVER are conditions that are never true here, if the functions above are gone. */
const NEVER = /\bmode == 2\b|(?<![.\w])(sc\.)?distr == (3|4|100)\b|\bselect\.show && dragging\b|(?<=if \()_?dragging\b|\bshowLegend\b(?! =)/g;

const installed = JSON.parse(readFileSync(new URL("../package.json", FILE))).version;
if (installed !== VERSION) throw new Error(`uPlot is ${installed}: look what of it is used now, then change VERSION`);
let text = readFileSync(FILE, "utf8");
if (!text.startsWith(DONE)) {
  for (const [left, names] of Object.entries(UNUSED)) {
    for (const name of names) {
      const found = new RegExp(`^(\\t*)(function ${name}\\(.*\\) \\{)\\n[^]*?\\n\\1\\}\\n`, "m").exec(text);
      if (!found) throw new Error(`uPlot has no function ${name}`);
      text = text.replace(found[0], () => `${found[1]}${found[2]} ${left} }\n`);
    }
  }
  writeFileSync(FILE, DONE + text.replace(NEVER, "false"));
}

import { table } from "../table";

export type Work =
  | "cold"
  | "changed"
  | "nothing"
  | "hundred"
  | "nothing of hundred"
  | "incompressible"
  | "slow"
  | "one registry"
  | "two registries"
  | "two runs"
  | "copy"
  | "nothing of copy"
  | "many"
  | "nothing of many";
/** What is raced; regsync copies from registry to registry alone. */
export type Tool = "ours" | "crane" | "skopeo" | "regsync";

/** What one tool took for one work. */
export interface Row {
  work: Work;
  tool: Tool;
  seconds: number;
  peakMemoryBytes: number;
  extraDiskBytes: number;
  bytesSent: number;
  cpuSeconds: number;
  /** Of the registry, meanwhile. */
  registryCpuSeconds: number;
  /** Of `seconds`, what unpacking took; peers only. */
  unpackSeconds?: number;
}

/** Of each tool and work. */
export function fastest(rows: Row[]): Row[] {
  const best = new Map<string, Row>();
  for (const row of rows) {
    const key = `${row.work} ${row.tool}`;
    const other = best.get(key);
    if (other === undefined || row.seconds < other.seconds) {
      best.set(key, row);
    }
  }
  return [...best.values()];
}

/** Of all works, as a table; what is not there was not run. */
export function figures(rows: readonly Row[]): string {
  const ours = new Map(rows.filter(({ tool }) => tool === "ours").map((row) => [row.work, row.seconds]));
  const works = [...new Set(rows.map(({ work }) => work))];
  return table(
    ["work", "tool", "seconds", "tool / ours", "CPU s", "registry CPU s", "memory MB", "disk MB", "sent MB"],
    works.flatMap((work) =>
      rows
        .filter((row) => row.work === work)
        .map((row) => [
          work,
          row.tool === "ours" || row.unpackSeconds === undefined ? row.tool : `unpack + ${row.tool}`,
          row.seconds.toFixed(2),
          ours.has(work) ? `${(row.seconds / (ours.get(work) as number)).toFixed(2)}x` : "-",
          row.cpuSeconds.toFixed(1),
          row.registryCpuSeconds.toFixed(1),
          mb(row.peakMemoryBytes),
          mb(row.extraDiskBytes),
          mb(row.bytesSent),
        ]),
    ),
  );
}

export function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

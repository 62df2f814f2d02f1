/** One request as the registry logged it. */
export interface AccessLogEntry {
  /** When the request was finished; the log has whole seconds. */
  readonly time: Date;
  readonly remote: string;
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The `ns` parameter that containerd adds when it asks a mirror: the public host the image is named by. */
  readonly ns: string | undefined;
  readonly status: number;
  readonly bytes: number;
  readonly userAgent: string;
  /** "blobs", "manifests", "uploads", "ping" or "other". */
  readonly kind: "blobs" | "manifests" | "uploads" | "ping" | "other";
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const line =
  /^(\S+) \S+ .*?\[(\d+)\/(\w+)\/(\d+):(\d+):(\d+):(\d+) ([+-]\d{4})\] "(\S+) (\S+) [^"]*" (\d{3}) (\d+|-) "(?:[^"\\]|\\.)*" "((?:[^"\\]|\\.)*)"/;

function kindOf(path: string): AccessLogEntry["kind"] {
  if (/^\/v2\/?$/.test(path)) return "ping";
  if (path.includes("/blobs/uploads")) return "uploads";
  if (path.includes("/blobs/")) return "blobs";
  if (path.includes("/manifests/")) return "manifests";
  return "other";
}

/** Reads a log in the combined format; lines of another shape are left out. */
export function parseAccessLog(text: string): AccessLogEntry[] {
  const entries: AccessLogEntry[] = [];
  for (const row of text.split("\n")) {
    const match = line.exec(row);
    if (!match) continue;
    const [
      ,
      remote = "",
      day = "",
      month = "",
      year = "",
      hour = "",
      minute = "",
      second = "",
      zone = "",
      method = "",
      target = "",
      status,
      bytes,
      userAgent = "",
    ] = match;
    const url = new URL(target, "http://registry");
    const offset = (zone.startsWith("-") ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3, 5)));
    entries.push({
      time: new Date(
        Date.UTC(
          Number(year),
          months.indexOf(month),
          Number(day),
          Number(hour),
          Number(minute) - offset,
          Number(second),
        ),
      ),
      remote,
      method,
      path: decodeURIComponent(url.pathname),
      query: url.searchParams,
      ns: url.searchParams.get("ns") ?? undefined,
      status: Number(status),
      bytes: bytes === "-" ? 0 : Number(bytes),
      userAgent,
      kind: kindOf(url.pathname),
    });
  }
  return entries;
}

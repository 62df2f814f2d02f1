import { ContainerdError } from "../containerdError";
import { isLocalhost, namespaceOfDirectory } from "../hostNames";
import type { GeneratedHosts } from "../layout/layout";
import type { ObservedNode } from "../observed";
import { generatedHeader } from "../registries/generateHosts";
import type { Registries } from "../registries/registriesYaml";
import { nameList } from "./nameList";
import { type PlanNote, planNote, planNoteOn } from "./planNote";

/** @throws ContainerdError CONTAINERD_NOT_LASTING for a release that deletes all there is in the hosts directory */
export function checkKeepsOthers(
  text: string,
  { program, keepsOthersSince }: GeneratedHosts,
  hostsDir: string,
): PlanNote[] {
  const found = /\bv?(\d+)\.(\d+)\.(\d+)/.exec(text);
  const since = nameList([...keepsOthersSince]);
  if (found === null) {
    return [
      planNote(
        "release-unknown",
        program,
        `${program} does not say its release (${JSON.stringify(text.slice(0, 80))}); before ${since} it deletes every folder of ${hostsDir} at each start`,
      ),
    ];
  }
  const release = found.slice(1, 4).map(Number) as [number, number, number];
  if (!keepsOthers(release, keepsOthersSince)) {
    throw new ContainerdError(
      "CONTAINERD_NOT_LASTING",
      `${program} ${release.join(".")} deletes every folder of ${hostsDir} at each of its starts, so nothing written there would last; upgrade it to ${since} or later`,
    );
  }
  return [];
}

function keepsOthers([major, minor, patch]: [number, number, number], since: readonly string[]): boolean {
  const lines = since.map((one) => one.split(".").map(Number) as [number, number, number]);
  const line = lines.find((one) => one[0] === major && one[1] === minor);
  if (line !== undefined) {
    return patch >= line[2];
  }
  const [lastMajor, lastMinor] = lines.at(-1) ?? [0, 0];
  return major > lastMajor || (major === lastMajor && minor > lastMinor);
}

/** Where containerd asks the registry that the program has in itself, by the file that it makes for it. */
export function embeddedRegistry(
  { files, hostsDir = "" }: ObservedNode,
  { program }: GeneratedHosts,
): string | undefined {
  return Object.entries(files)
    .filter(
      ([path, { text }]) => path.startsWith(`${hostsDir}/`) && text?.startsWith(generatedHeader(program)) === true,
    )
    .map(([path, { text }]) => ({
      host: namespaceOfDirectory(path.slice(hostsDir.length + 1).split("/")[0] ?? ""),
      text,
    }))
    .find(({ host, text }) => isLocalhost(host) && /^client = /m.test(text ?? ""))?.host;
}

/** What becomes of hosts that get files of ours, beside what registries.yaml says of all hosts; and who else writes it. */
export function surroundingNotes(
  { files }: ObservedNode,
  { mirrors }: Registries,
  hosts: string[],
  { registriesPath, provisionedPath, program }: GeneratedHosts,
  embedded: string | undefined,
): PlanNote[] {
  const notes: PlanNote[] = [];
  if (files[provisionedPath] !== undefined) {
    notes.push(
      planNote(
        "second-writer",
        registriesPath,
        `Rancher provisioned this node (${provisionedPath}) and writes ${registriesPath} itself: a host that is listed ` +
          `there at some time is no longer asked as declared after the next start of ${program}; leave the declared hosts out of the cluster's registries in Rancher`,
      ),
    );
  }
  const wildcard = mirrors["*"];
  if (wildcard === undefined || hosts.length === 0) {
    return notes;
  }
  const asked = wildcard.endpoints.length === 0 ? "" : ` (${wildcard.endpoints.join(", ")})`;
  notes.push(
    planNoteOn(
      "gives-way",
      nameList(hosts),
      `leaves the "*" entry of ${registriesPath}${asked}: only what is declared is asked, until delete`,
    ),
  );
  if (embedded !== undefined) {
    notes.push(
      planNote(
        "not-shared",
        program,
        `the embedded registry of ${program} (${embedded}) no longer serves images of ${nameList(hosts)} from other nodes: the declared mirrors are asked alone, until delete`,
      ),
    );
  }
  return notes;
}

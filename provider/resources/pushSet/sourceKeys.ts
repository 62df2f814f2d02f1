import type { Problem } from "../../model/problem";
import { invalidArgument } from "../../model/problem";
import { isHost } from "../../model/reference";

/** What Docker Hub is called elsewhere; in image names it is docker.io. */
const dockerHub = new Set(["index.docker.io", "registry-1.docker.io"]);

/** What is wrong with a key of `registries` that no image name can ever begin with. */
export function keyProblems(key: string, name: string): Problem[] {
  const better = bestHost(key);
  if (better === key) {
    return [];
  }
  const wayOut =
    better === undefined
      ? "give a host as image names have it, docker.io or registry.example:5000"
      : `image names begin with the host alone, so write "${better}"`;
  return [invalidArgument(`${name}: no image name begins with "${key}/"; ${wayOut}.`)];
}

/** The host that is meant; undefined where that cannot be told. */
function bestHost(key: string): string | undefined {
  const place = key.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\//, "").replace(/\/.*$/, "");
  if (dockerHub.has(place)) {
    return "docker.io";
  }
  // A first part without a dot or a port is a folder on docker.io.
  return isHost(place) && (/[.:]/.test(place) || place === "localhost") ? place : undefined;
}

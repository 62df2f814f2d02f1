/** Where the probe lies unless the user places it elsewhere. */
export const defaultProbeRepository = "registry-mirror-probe/probe";

/** A repository of ours beside the probe, which the user has placed where writing is allowed. */
export function repositoryBesideProbe(probeRepository: string, name: string): string {
  const slash = probeRepository.lastIndexOf("/");
  return slash < 0 ? `${probeRepository}-${name}` : `${probeRepository.slice(0, slash)}/${name}`;
}

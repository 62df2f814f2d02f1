/**
 * Milliseconds of a core that some work takes in this process: what else runs on the machine makes them no more, or
 * hardly.
 */
export function computing(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

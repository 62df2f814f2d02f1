/**
 * Does something for each item, a bounded number at a time: thousands of requests that wait for their turn hold memory,
 * and keep the collector from giving back what the finished ones had. Results come in the items' order.
 *
 * @throws what the first failing one throws; the others that were begun go on by themselves, and no more are begun
 */
export async function mapConcurrently<T, R>(
  items: Iterable<T>,
  work: (item: T) => Promise<R>,
  atOnce = defaultAtOnce,
): Promise<R[]> {
  const results: R[] = [];
  const rest = [...items].entries();
  let failed = false;
  const worker = async (): Promise<void> => {
    for (const [at, item] of rest) {
      if (failed) {
        return;
      }
      try {
        results[at] = await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}

/** Several times the requests that go to a registry at once (16), so that none of them waits for a next one. */
const defaultAtOnce = 64;

/**
 * Waits for a state, and no longer than it takes to come. The deadline is for a thing that is broken, not for a busy
 * machine.
 */
export async function until(state: () => boolean, deadlineMs = 60_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!state()) {
    if (performance.now() > deadline) {
      throw new Error(`not so within ${deadlineMs / 1000} s: ${String(state)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

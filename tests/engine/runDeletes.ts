import { deletionOrder } from "./dependencyGraph";
import type { DeploymentContext } from "./deploymentContext";
import type { ResourceState } from "./state";
import type { Step } from "./step";
import type { StepExecutor } from "./stepExecutor";
import type { StepGenerator } from "./stepGenerator";

/** Deletes what is left over, dependents first, and what is independent at the same time. */
export async function runDeletes(context: DeploymentContext, generator: StepGenerator, executor: StepExecutor): Promise<void> {
  const { sames, deletes } = generator.generateDeletes();
  await executor.run(sames);
  const steps = new Map(deletes.map((step) => [step.old as ResourceState, step]));
  for (const group of deletionOrder([...steps.keys()], context.graph)) {
    if (executor.isStopped) return;
    const kept = neededBy(context, executor.refused);
    await executor.runAll(group.filter((state) => !kept.has(state)).map((state) => steps.get(state) as Step));
  }
}

/** What a protected resource needs stays with it. */
function neededBy(context: DeploymentContext, refused: ResourceState[]): Set<ResourceState> {
  const kept = new Set<ResourceState>();
  const waiting = [...refused];
  for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
    for (const needed of context.graph.dependenciesOf(state)) {
      if (kept.has(needed)) continue;
      kept.add(needed);
      waiting.push(needed);
    }
  }
  return kept;
}

import { DependencyGraph } from "./dependencyGraph";
import { oldsOf, type DeploymentContext } from "./deploymentContext";
import { repairReferences } from "./integrity";
import type { ResourceState } from "./state";
import type { Step } from "./step";
import type { StepExecutor } from "./stepExecutor";

/** Reads every resource (or every target), and makes what was found the state that the deployment goes on with. */
export async function refreshState(context: DeploymentContext, executor: StepExecutor): Promise<void> {
  const { targets } = context;
  const wanted = context.previous.filter((state) => targets === undefined || targets.urns.has(state.urn));
  const steps = new Map(wanted.map((state): [ResourceState, Step] => [state, { op: "refresh", urn: state.urn, old: state, fresh: state, logical: false }]));
  for (const state of wanted) context.providers.ensure(state.provider, context.previous);
  await executor.runAll([...steps.values()]);
  await executor.idle();
  context.previous = context.previous.flatMap((state) => {
    const step = steps.get(state);
    const found = step === undefined ? state : step.fresh;
    return found === undefined ? [] : [found];
  });
  repairReferences(context.previous);
  context.olds = oldsOf(context.previous);
  context.graph = new DependencyGraph(context.previous);
}

import { any, flag, optionalText } from "../arguments/kinds";
import type { Shape } from "../arguments/shape";

/** Values as they are once they are known; names are the arguments'. `required`: nothing can be made without. */
export const shapes = {
  required: {
    fields: {
      clusterName: optionalText,
      images: { fields: {}, optional: true },
      registryMirrors: { list: any, optional: true },
      privateRegistries: { list: any, optional: true },
      skipFallback: flag,
      dialTimeout: { kind: "number", optional: true },
      connection: { fields: {}, optional: true },
      rollout: { fields: {}, optional: true },
      mirror: { fields: {}, optional: true },
    },
  },
  listedNode: {
    fields: {
      name: optionalText,
      role: { kind: ["worker", "load-balancer", "control-plane"], optional: true },
      pool: optionalText,
      connection: { fields: {}, optional: true },
    },
  },
} as const satisfies Record<string, Shape>;

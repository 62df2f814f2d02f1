import { mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";

import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { fromJSON } from "@grpc/proto-loader";

/**
 * containerd's CRI as a real gRPC server (grpc-js) on a unix socket, written against the public API and not against our
 * own definitions: what our client sends must make sense to somebody else.
 */
export class FakeCri {
  unimplemented = false;
  runtimeReady = true;
  /** name -> digest */
  readonly images = new Map<string, string>();
  pullError: string | undefined;
  hang = false;
  /** Calls that were never answered. */
  hanging = 0;
  private readonly server = new Server();

  static async start(path: string): Promise<FakeCri> {
    const cri = new FakeCri();
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    const unary =
      (answer: (request: Record<string, never>) => object) =>
      (call: { request: Record<string, never> }, callback: (error: object | null, value?: object) => void) => {
        if (cri.hang) {
          cri.hanging++;
          return;
        }
        if (cri.unimplemented) {
          callback({ code: status.UNIMPLEMENTED, details: "unknown service runtime.v1" });
          return;
        }
        try {
          callback(null, answer(call.request));
        } catch (error) {
          callback({ code: status.UNKNOWN, details: (error as Error).message });
        }
      };
    const image = (name: string) => {
      const digest = cri.images.get(name);
      return digest === undefined
        ? undefined
        : { id: `id-${digest}`, repo_tags: [name], repo_digests: [`${name.replace(/:[^:/]*$/, "")}@${digest}`] };
    };
    const nameOf = (request: Record<string, never>) => (request["image"] as unknown as { image: string }).image;
    cri.add("RuntimeService", {
      Version: unary(() => ({ version: "0.1.0", runtime_name: "containerd", runtime_version: "1.7.24" })),
      Status: unary((request) => ({
        status: {
          conditions: [
            { type: "RuntimeReady", status: cri.runtimeReady, reason: "", message: "" },
            { type: "NetworkReady", status: false },
          ],
        },
        info: request["verbose"] ? { config: '{"a":1}' } : {},
      })),
    });
    cri.add("ImageService", {
      PullImage: unary((request) => {
        if (cri.pullError !== undefined) {
          throw new Error(cri.pullError);
        }
        cri.images.set(nameOf(request), "sha256:abc");
        return { image_ref: "id-sha256:abc" };
      }),
      ImageStatus: unary((request) => ({ image: image(nameOf(request)) })),
      RemoveImage: unary((request) => {
        cri.images.delete(nameOf(request));
        return {};
      }),
    });
    await new Promise<void>((resolve, reject) =>
      cri.server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      ),
    );
    return cri;
  }

  stop(): Promise<void> {
    this.server.forceShutdown();
    return Promise.resolve();
  }

  private add(service: string, handlers: object): void {
    this.server.addService(
      definition[`runtime.v1.${service}`] as unknown as ServiceDefinition,
      handlers as UntypedServiceImplementation,
    );
  }
}

const text = (id: number) => ({ type: "string", id });
const method = (name: string) => ({ requestType: `${name}Request`, responseType: `${name}Response` });

// Names and numbers as in Kubernetes' api.proto, snake case kept.
const api = {
  nested: {
    runtime: {
      nested: {
        v1: {
          nested: {
            VersionRequest: { fields: { version: text(1) } },
            VersionResponse: {
              fields: {
                version: text(1),
                runtime_name: text(2),
                runtime_version: text(3),
                runtime_api_version: text(4),
              },
            },
            StatusRequest: { fields: { verbose: { type: "bool", id: 1 } } },
            RuntimeCondition: {
              fields: { type: text(1), status: { type: "bool", id: 2 }, reason: text(3), message: text(4) },
            },
            RuntimeStatus: { fields: { conditions: { rule: "repeated", type: "RuntimeCondition", id: 1 } } },
            StatusResponse: {
              fields: { status: { type: "RuntimeStatus", id: 1 }, info: { keyType: "string", type: "string", id: 2 } },
            },
            ImageSpec: { fields: { image: text(1), annotations: { keyType: "string", type: "string", id: 2 } } },
            PullImageRequest: { fields: { image: { type: "ImageSpec", id: 1 } } },
            PullImageResponse: { fields: { image_ref: text(1) } },
            ImageStatusRequest: { fields: { image: { type: "ImageSpec", id: 1 }, verbose: { type: "bool", id: 2 } } },
            Image: {
              fields: {
                id: text(1),
                repo_tags: { rule: "repeated", type: "string", id: 2 },
                repo_digests: { rule: "repeated", type: "string", id: 3 },
              },
            },
            ImageStatusResponse: { fields: { image: { type: "Image", id: 1 } } },
            RemoveImageRequest: { fields: { image: { type: "ImageSpec", id: 1 } } },
            RemoveImageResponse: { fields: {} },
            RuntimeService: { methods: { Version: method("Version"), Status: method("Status") } },
            ImageService: {
              methods: {
                PullImage: method("PullImage"),
                ImageStatus: method("ImageStatus"),
                RemoveImage: method("RemoveImage"),
              },
            },
          },
        },
      },
    },
  },
};

// The types know neither maps nor methods without comments.
const definition = fromJSON(api as unknown as Parameters<typeof fromJSON>[0], {
  keepCase: true,
  defaults: true,
  arrays: true,
});

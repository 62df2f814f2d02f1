import type { ErrorCode } from "../../model/codes";
import { RegistryError } from "../registryError";
import type { HttpResponse } from "./httpExchange";

/**
 * What a registry said in the body of an error (distribution-spec v1.1.1, "Error codes"), or the start of anything
 * else.
 */
export interface ErrorBody {
  code: string | undefined;
  /** All of them, where a registry lists several errors. */
  codes: string[];
  message: string;
}

const maxShown = 300;

export function parseErrorBody(response: HttpResponse): ErrorBody {
  const text = response.body.toString("utf8", 0, 64 * 1024);
  try {
    const parsed = JSON.parse(text) as {
      errors?: { code?: unknown; message?: unknown; detail?: unknown }[];
      error?: unknown;
      error_description?: unknown;
      details?: unknown;
      message?: unknown;
    };
    const errors = Array.isArray(parsed.errors) ? parsed.errors : [];
    const first = errors[0];
    if (first !== undefined) {
      const messages = errors.map((e) => {
        const detail = asText(e.detail);
        return `${asText(e.message)}${detail === "" || detail === "{}" ? "" : ` (${detail})`}`;
      });
      const codes = errors.map(({ code }) => code).filter((code) => typeof code === "string");
      return {
        code: typeof first.code === "string" ? first.code : undefined,
        codes,
        message: shorten(messages.join("; ")),
      };
    }
    const message = parsed.error_description ?? parsed.details ?? parsed.message ?? parsed.error;
    const code = typeof parsed.error === "string" ? parsed.error : undefined;
    return {
      code,
      codes: code === undefined ? [] : [code],
      message: shorten(typeof message === "string" ? message : ""),
    };
  } catch {
    return { code: undefined, codes: [], message: shorten(text.replace(/<[^>]*>/g, " ")) };
  }
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value);
}

function shorten(text: string): string {
  const line = text.replace(/[\s\u0000-\u001f]+/g, " ").trim();
  return line.length > maxShown ? `${line.slice(0, maxShown)}...` : line;
}

/** A URL without user, password and query: upload URLs carry state and storage URLs carry signatures. */
export function redactUrl(url: URL): string {
  return `${url.origin}${url.pathname}${url.search === "" ? "" : "?..."}`;
}

/** `PUT https://HOST/v2/a/manifests/1: 403 DENIED: requested access to the resource is denied. <way out>` */
export function responseError(method: string, url: URL, response: HttpResponse, wayOut = ""): RegistryError {
  const { code, message } = parseErrorBody(response);
  const said = [code, message].filter((part) => part !== undefined && part !== "").join(": ");
  const text = `${method} ${redactUrl(url)}: ${response.status}${said === "" ? "" : ` ${said}`}${wayOut === "" ? "" : `. ${wayOut}`}`;
  return new RegistryError(ourCode(response.status), text, {
    status: response.status,
    ...(code === undefined ? {} : { registryCode: code }),
  });
}

function ourCode(status: number): ErrorCode {
  switch (status) {
    case 401:
      return "REGISTRY_UNAUTHORIZED";
    case 403:
      return "REGISTRY_DENIED";
    case 404:
      return "REGISTRY_NOT_FOUND";
    case 413:
      return "REGISTRY_TOO_LARGE";
    case 429:
      return "REGISTRY_RATE_LIMITED";
    default:
      return status >= 500 ? "REGISTRY_SERVER_ERROR" : "REGISTRY_REFUSED";
  }
}

type Headers = Record<string, string>;

export function serve(
  folder: string,
  options?: {
    port?: number;
    headers?: Headers | ((path: string) => Headers);
    files?: Record<string, string | Uint8Array>;
    onPost?: (path: string, text: string) => unknown;
  },
): Promise<{ url: string; port: number; close(): Promise<void> }>;

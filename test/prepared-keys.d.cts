export function preparedKeys(bits: number): Buffer[];
export function takeKey(folder: string, bits: number): Buffer | undefined;
export function usePreparedKeys(next: (bits: number) => Buffer | undefined): void;

/** Like embedded-opening.d.ts: what differs in the relaxed-SIMD build (relaxed.ts). */
export declare const text: string;

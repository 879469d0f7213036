// A state, told by shape, colour and words: none of them alone reaches everybody.

/** Tone is how good a state is. */
export type Tone = "good" | "busy" | "warn" | "bad" | "off";

/** Shape tells the tones apart without colour: full, half, ring, cross, and a line for what is
 * not. */
export function Shape({ tone }: { tone: string }) {
  return (
    <svg class="shape" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
      {tone === "good" && <circle cx="6" cy="6" r="4" fill="currentColor" />}
      {tone === "busy" && <><circle cx="6" cy="6" r="4" class="line" /><path d="M6 2a4 4 0 0 1 0 8z" fill="currentColor" /></>}
      {tone === "warn" && <circle cx="6" cy="6" r="4" class="line" />}
      {tone === "off" && <path d="M2.5 6h7" class="line" />}
      {tone === "bad" && <path d="M3 3l6 6M9 3l-6 6" class="line" />}
    </svg>
  );
}

/** State is a shape and its words. Other words are drawn anew: what is new is nothing that moved. */
export function State({ tone, words, why }: { tone: Tone; words: string; why?: string | undefined }) {
  return <span key={words} class={`state ${tone}`} title={why}><Shape tone={tone} />{words}</span>;
}

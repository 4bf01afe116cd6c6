// Codes and numbers in words. Knows no page.

const WARNINGS = {
  "body-not-found": "No chest was recognised in this picture. It may not be an axial chest CT slice.",
  "unusual-for-a-chest-ct": "This is an unusual picture for a chest CT slice. Check that it is one, upright and with the whole chest in it.",
  "uniform-image": "The picture is all but one grey. It does not look like a CT slice.",
  "noise-image": "The picture looks like noise. It does not look like a CT slice.",
  "low-resolution": "The chest is only a few pixels wide here. Fine detail is lost.",
  "color-image": "The picture is in colour. CT slices are grey; the colours were turned into grey.",
  "extension-mismatch": "The file’s name says another format than its content. The content was used.",
  "icc-profile-corrupt": "The picture’s colour profile is damaged and was ignored.",
  "training-image": "The model was trained on this very slice, so its answer here says nothing about how good it is.",
  "history-unavailable": "This answer could not be stored: the history does not answer at present. Only this page has it.",
  "image-not-stored": "The answer was stored; its picture could not be.",
  "lossy-compression": "The slice was compressed with loss, which can remove fine detail.",
};

/** Warnings that say the picture may be no slice at all. */
const DOUBTFUL = ["body-not-found", "unusual-for-a-chest-ct", "uniform-image", "noise-image"];

/** Warnings that say nothing about the picture. */
const OF_THE_ANSWER = ["training-image", "history-unavailable", "image-not-stored"];

/** Words with a capital first letter, as a label. */
export const capital = (words) => words.charAt(0).toUpperCase() + words.slice(1);

/** Names of splits and sources of images. */
const PARTS = { train: "Training", valid: "Validation", test: "Test", import: "Imported", upload: "Uploaded", feedback: "Confirmed here" };

export const partName = (code) => PARTS[code] ?? capital(code);

/** `large_cell_carcinoma` as “Large cell carcinoma”. */
export function className(code) {
  return capital(code.replaceAll("_", " ").replaceAll("-", " "));
}

export function warning(code) {
  return WARNINGS[code] ?? className(code) + ".";
}

/** 0.934 as “93.4 %”. */
export function percent(share) {
  return `${(share * 100).toFixed(1)}\u00a0%`;
}

/** A probability as `percent` writes it, but never as certainty. */
export function asProbability(share) {
  if (share > 0.9995) return "> 99.9\u00a0%";
  if (share < 0.0005) return "< 0.1\u00a0%";
  return percent(share);
}

export function list(names) {
  return new Intl.ListFormat("en").format(names);
}

export function decision(answer) {
  if (answer.decision === "confident") {
    return {
      label: "Confident",
      note: "The probability is above the model’s operating point and nothing about the picture was found unusual. Confident answers can be wrong.",
    };
  }
  return { label: "A person should review", note: reviewNote(answer.warnings) };
}

function reviewNote(codes) {
  const warnings = codes.filter((code) => !OF_THE_ANSWER.includes(code));
  if (warnings.some((code) => DOUBTFUL.includes(code))) {
    return "The picture may not be a chest CT slice, so the answer should not be relied on.";
  }
  if (warnings.length > 0) return "Something about this picture is unusual, see the warning below; the answer should not stand alone.";
  return "The model is not sure enough to stand alone; weigh the alternatives below.";
}

/** A server's words as a sentence. */
export function sentence(text) {
  const first = capital(text.replaceAll("`", "")); // which mark code, and this is no code to its reader
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** A server's sentence with its codes of classes as words, its quotes and shares as this page writes them. */
export const plain = (text) => sentence(text).replaceAll("_", " ").replace(/'([^']*)'/g, "“$1”").replace(/(\d) ?%/g, "$1\u00a0%");

const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

/** A moment of ISO 8601 in this browser's zone; nothing for none. */
export function moment(iso) {
  return iso ? MOMENT.format(new Date(iso)) : "";
}

/** 83.4 s as “1 min 23 s”. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}\u00a0s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}\u00a0min ${whole % 60}\u00a0s`;
  return `${Math.floor(minutes / 60)}\u00a0h ${minutes % 60}\u00a0min`;
}

/** “1 slice”, “2,000 slices”. */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

// What two figures share: the softmax, what is measured of its weights, and numbers as people write them.
function softmax(scores) {
  const highest = Math.max(...scores); // exp of the differences does not overflow
  const powers = scores.map((score) => Math.exp(score - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
// In nats; a weight of 0 adds nothing.
const entropy = (weights) => weights.reduce((sum, w) => (w > 0 ? sum - w * Math.log(w) : sum), 0);
// A number without a minus sign before zero, and with a true minus sign.
const signed = (value, digits) => lm.number(Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value, digits).replace("-", "−");

// The one button of a printed form.
document.querySelector('[data-print]').addEventListener('click', () => print());

// What asks for the password again sends people to the page that takes it, and back here.
export async function proving(act) {
  try {
    return await act();
  } catch (no) {
    if (no.code !== 'prove-again') throw no;
    location.href = `/prove?back=${encodeURIComponent(location.pathname)}`;
    return new Promise(() => {});
  }
}

// The name of a page's file stays with the tab: where the session has lost the file, the page can say which it was.

export default function ({ data, setStateValue }) {
  const { page, name, isRemoved, isTold } = JSON.parse(data);
  const key = `petrol.upload.${page}`;
  try {
    if (name) sessionStorage.setItem(key, name);
    else if (isRemoved) sessionStorage.removeItem(key);
    else if (!isTold && sessionStorage.getItem(key)) setStateValue("former", sessionStorage.getItem(key));
  } catch {} // a browser that stores nothing for pages
}

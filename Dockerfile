FROM python:3.13-slim

LABEL org.opencontainers.image.title="Petrol what-if" \
      org.opencontainers.image.description="An interactive app for what-if predictions of petrol consumption" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"

# Streamlit looks for settings in HOME; whatever user the container runs as finds the app there.
ENV HOME=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

# requirements-scale.txt adds what more than one machine needs: PostgreSQL's driver and Dask.
ARG REQUIREMENTS=requirements.txt
# The libraries' own tests, C++ headers and a Jupyter extension are an eighth of the image, and nothing uses them here.
COPY ${REQUIREMENTS} requirements.txt
RUN pip install --require-hashes --only-binary :all: -r requirements.txt \
 && find "$(python -c 'import site; print(site.getsitepackages()[0])')" -type d \
      \( -name tests -o -path '*/pyarrow/include' -o -path '*/pydeck/nbextension' \) -prune -exec rm -rf {} +

COPY .streamlit .streamlit
COPY data data
COPY model model
COPY pages pages
COPY web web
COPY docs/method.md docs/method.md
COPY server.py streamlit_app.py ./

# What is trained and promoted outlives the container: docker run -v petrol:/data
# Some platforms choose the user, of group 0, which may do there what its owner may.
RUN useradd --uid 10001 --no-create-home petrol && mkdir /data && chown 10001:0 /data && chmod g=u /data
ENV PETROL_STORE_URL=sqlite:////data/store.db XDG_STATE_HOME=/data
VOLUME /data
USER 10001

# Some platforms choose the port: docker run -e PORT=8080
ENV PETROL_HOST=0.0.0.0 PORT=8501
EXPOSE 8501
# A real prediction, asked for without the proxies that an engine may have set in the environment.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import os; from http.client import HTTPConnection as To; to = To('127.0.0.1', int(os.environ.get('PORT') or 8501), timeout=4); to.request('GET', '/api/ready'); raise SystemExit(to.getresponse().status != 200)"]
CMD ["python", "server.py"]

FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

COPY requirements.txt .
RUN pip install --require-hashes --only-binary :all: -r requirements.txt

COPY .streamlit .streamlit
COPY data data
COPY model model
COPY pages pages
COPY server.py streamlit_app.py ./

# What is trained and promoted outlives the container: docker run -v petrol:/store
RUN useradd --uid 10001 --no-create-home petrol && mkdir /store && chown 10001 /store
ENV PETROL_STORE_URL=sqlite:////store/store.db
VOLUME /store
USER 10001

EXPOSE 8501
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=2)"]
CMD ["uvicorn", "server:app", "--host", "0.0.0.0", "--port", "8501"]
